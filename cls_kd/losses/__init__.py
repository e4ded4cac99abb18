"""Distillation losses, one module per method.

Every subclass of `DistillLoss` in a module of this package whose name ends with ``Loss`` is
exported: adding a file adds the loss. ``LOSSES`` maps the names to the classes.
"""

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.discovery import known_losses as _known_losses

LOSSES = _known_losses()

globals().update(LOSSES)

__all__ = ["LOSSES", "DistillLoss", *LOSSES]


def __getattr__(name: str) -> type[DistillLoss]:
    # Reached for unknown names only; tells type checkers the type of the exports above.
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
