"""Packages that parts of the project need and that are not always installed."""

from __future__ import annotations

from importlib import import_module

from cls_kd.errors import UserError


def require(*modules: str, by: str, install: str, otherwise: str = "") -> None:
    """Import packages, or say what to install.

    Args:
        modules: Their import names.
        by: What needs them, the subject of the message: ``'ONNX export'``.
        install: Arguments of ``pip install``, quoted for a shell where they have brackets.
        otherwise: Sentence that says what works without them.

    Raises:
        UserError: A package, or one that it imports, is not installed.
    """
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise UserError(
                f"{by} needs the package {error.name or module}: pip install {install}"
                + (f". {otherwise}" if otherwise else "")
            ) from error
