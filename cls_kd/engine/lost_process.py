"""Errors by which a process of a distributed training notices that another one has ended."""

from __future__ import annotations

_TYPES = ("DistBackendError", "DistNetworkError")
_GLOO = "gloo/transport"


def is_of_lost_process(error: str) -> bool:
    """Test for an error of the connection between processes, and not of the training.

    PyTorch has types for those of NCCL; gloo raises a `RuntimeError` that names its source file.

    Args:
        error: Type and message.
    """
    return error.startswith(_TYPES) or (error.startswith("RuntimeError") and _GLOO in error)
