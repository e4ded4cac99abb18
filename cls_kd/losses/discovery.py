"""Discovery of the losses: every module of this package is imported, and its losses are listed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from cls_kd.losses.base import DistillLoss

_PACKAGE = "cls_kd.losses"


@cache
def known_losses() -> dict[str, type[DistillLoss]]:
    """Name to class of every loss: subclasses of `DistillLoss` whose names end with ``Loss``."""
    losses: dict[str, type[DistillLoss]] = {}
    for info in walk_packages(import_module(_PACKAGE).__path__, f"{_PACKAGE}."):
        for name, value in vars(import_module(info.name)).items():
            is_defined_here = (
                name.endswith("Loss") and getattr(value, "__module__", None) == info.name
            )
            if is_defined_here and issubclass(value, DistillLoss) and value is not DistillLoss:
                losses[name] = value
    return dict(sorted(losses.items()))
