"""The base of every distillation loss: it names signals and computes in float32."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.modules.schedules import Schedule, as_schedule
from cls_kd.signals.shapes import ShapeFacts

_HALF = (torch.float16, torch.bfloat16)


class DistillLoss(nn.Module):
    """A loss asks for signals by naming them as parameters of its ``forward``.

    ``forward`` returns the method's own loss, without the outer weight: a scalar, or a dict whose
    keys hold the word ``loss`` where a value counts and do not where it is only a figure to log.
    Called with half precision or under autocast, it computes in float32.

    Args:
        weight: A number, or a schedule over ``progress``; applied by the distiller. Default 1.
        teacher: Which teacher its ``teacher_`` signals come from, by place or by name, where the
            distiller has several. Default: the only one (several: the mean of their logits).
    """

    def __init__(
        self,
        *,
        weight: float | Schedule | Mapping[str, Any] = 1.0,
        teacher: int | str | None = None,
    ) -> None:
        super().__init__()
        self.schedule = as_schedule(weight)
        self.teacher = teacher

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that ``forward`` asks for.

        Raises:
            UserError: ``forward`` takes ``*args`` or ``**kwargs``, which name nothing.
        """
        parameters = inspect.signature(self.forward).parameters.values()
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise UserError(
                    f"{type(self).__name__}.forward takes {parameter}: a loss asks for signals by "
                    "naming each one as a parameter."
                )
        return tuple(parameter.name for parameter in parameters)

    def build(self, shapes: ShapeFacts) -> None:
        """Make connectors and banks from measured shapes. Default: nothing to make."""

    def __call__(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        signals = {name: in_full_precision(value) for name, value in signals.items()}
        with torch.autocast(device_type=_device_type(signals), enabled=False):
            return super().__call__(**signals)


def in_full_precision(value: Any) -> Any:
    """Half-precision tensors (also inside tuples) as float32; everything else as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _HALF else value
    if isinstance(value, tuple):
        return tuple(in_full_precision(item) for item in value)
    return value


def _device_type(signals: Mapping[str, Any]) -> str:
    for value in signals.values():
        first = value[0] if isinstance(value, tuple) and value else value
        if isinstance(first, Tensor):
            return first.device.type
    return "cpu"
