"""Errors that a user can fix: one message, no traceback at the command line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Something in a config, a file or a command is wrong; the message says what would be right."""


class DivergedError(RuntimeError):
    """A loss turned NaN or infinite; the message names the loss and the step."""


class PreemptedError(RuntimeError):
    """The process was asked to end, and a checkpoint was written; the message says where.

    Args:
        message: The text.
        signal: Number of the signal that asked for it.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message, signal)
        self.signal = signal

    def __str__(self) -> str:
        return str(self.args[0])


_CONNECTION_TYPES = ("DistBackendError", "DistNetworkError")
_GLOO = "gloo/transport"


def is_of_lost_process(error: str) -> bool:
    """Test for an error of the connection between processes, and not of the training.

    PyTorch has types for those of NCCL; gloo raises a `RuntimeError` that names its source file.

    Args:
        error: Type and message.
    """
    return error.startswith(_CONNECTION_TYPES) or (
        error.startswith("RuntimeError") and _GLOO in error
    )


def did_you_mean(word: str, known: Iterable[str], every: bool = True) -> str:
    """A hint: the nearest of ``known`` names, and (unless ``every`` is False) all of them."""
    names = sorted(known)
    close = get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
    return f"{hint} Known: {', '.join(names) or 'none'}." if every or not close else hint
