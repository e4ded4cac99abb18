"""The losses as functions, as ``torch.nn.functional.mse_loss`` is of ``torch.nn.MSELoss``.

Every loss whose value depends on its signals and options alone (`DistillLoss.stateless`) is a
function here, named after the class; ``dir(cls_kd.losses.functional)`` lists them. They are made
from the classes: signals by position or keyword, options by keyword with the defaults of the class.

>>> import torch
>>> from cls_kd.losses.functional import kd_loss
>>> student, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
>>> kd_loss(student, teacher, temperature=1.0).item()
0.4621

Losses that learn or remember something (connectors, memory banks) are classes only.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.discovery import known_losses

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def as_function(loss: type[DistillLoss]) -> Callable[..., Any]:
    """A loss as a function of its signals, followed by its options as keywords.

    Args:
        loss: The class of a stateless loss.

    Returns:
        A function with the signature and the docstring of the class.
    """
    signals = list(inspect.signature(loss.forward).parameters.values())[1:]
    options = [
        option.replace(kind=option.KEYWORD_ONLY)
        for option in inspect.signature(loss).parameters.values()
        if option.kind not in (option.VAR_POSITIONAL, option.VAR_KEYWORD)  # nn.Module's own
    ]
    names = frozenset(option.name for option in options)

    def function(*values: Any, **given: Any) -> Any:
        chosen = {name: given.pop(name) for name in names & given.keys()}
        return loss(**chosen)(*values, **given)

    returned = inspect.signature(loss.forward).return_annotation
    function.__name__ = function.__qualname__ = _function_name(loss.__name__)
    function.__module__ = __name__
    function.__doc__ = loss.__doc__
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*signals, *options], return_annotation=returned
    )
    return function


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """Name to function of every stateless loss."""
    stateless = [loss for loss in known_losses().values() if loss.stateless]
    return {_function_name(loss.__name__): as_function(loss) for loss in stateless}


def _function_name(name: str) -> str:
    """``'TfNKDLoss'`` to ``'tf_nkd_loss'``."""
    return _WORD.sub("_", name).lower()


def __getattr__(name: str) -> Callable[..., Any]:
    if name.endswith("_loss") and name in functions():
        return functions()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *functions()})
