"""The base class of the losses: signals by name, computation in float32."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses.search import Space
from cls_kd.signals.shapes import SignalShapes

_HALF = (torch.float16, torch.bfloat16)


class DistillLoss(nn.Module):
    """A loss that asks for signals by naming them as parameters of its ``forward``.

    ``forward`` returns the method's own loss, without the weight that the distiller applies: a
    scalar, or a dict of scalars. In a dict, values whose keys contain ``loss`` are weighted and
    summed; all others are only logged. A loss can be called alone, with signals by position or by
    keyword::

        KDLoss(temperature=4.0)(student_logits, teacher_logits)

    With half-precision inputs or under autocast it computes in float32.

    Attributes:
        stateless: Whether the value depends on the signals and the options alone; such a loss is
            also a function (`cls_kd.losses.functional`). Default: whether the class has no `build`.
        group: ``'task'``, ``'distillation'`` or, for `cls_kd.optimizers.DeepKD`, ``'target'`` or
            ``'non_target'``: for optimizers that keep their gradients apart.
        multi_label: Whether a loss of logits or labels makes sense where an image has several
            labels; others are refused there. Default: False.
        host_bound: Why a step with the loss cannot be captured in a CUDA graph, in a few words: it
            waits for the device, or decides something on the host in each step. Losses that ask for
            the training time need not say so. Default: it can be.
        search_space: Options that ``cls-kd tune`` searches, to their ranges. Default: none, so that
            the weight alone is searched.
    """

    stateless: ClassVar[bool] = True
    group: ClassVar[str] = "distillation"
    multi_label: ClassVar[bool] = False
    host_bound: ClassVar[str] = ""
    search_space: ClassVar[Mapping[str, Space]] = MappingProxyType({})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in vars(cls) and "stateless" not in vars(cls):
            cls.stateless = False

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

    @property
    def stage_indices(self) -> Mapping[str, tuple[int, ...]]:
        """For signals that are tuples: the indices that the loss reads. Default: all.

        The others are not recorded; their items in the tuple are None.
        """
        return {}

    def build(self, shapes: SignalShapes) -> None:
        """Create connectors and memory banks from measured shapes. Default: none."""

    def __call__(self, *values: Any, **signals: Any) -> Any:
        if values:
            signals = {**self._by_name(values, signals), **signals}
        signals = {name: in_full_precision(value) for name, value in signals.items()}
        device = _device_type(signals)
        if not torch.is_autocast_enabled(device):
            return super().__call__(**signals)
        with torch.autocast(device_type=device, enabled=False):
            return super().__call__(**signals)

    def _by_name(self, values: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        named = dict(zip(self.signals, values, strict=False))
        if len(values) > len(self.signals) or named.keys() & given.keys():
            raise TypeError(
                f"{type(self).__name__} takes ({', '.join(self.signals)}); it got {len(values)} "
                f"by position and {', '.join(given) or 'none'} by keyword."
            )
        return named


def in_full_precision(value: Any) -> Any:
    """Half-precision tensors (also inside tuples) as float32; everything else as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _HALF else value
    if isinstance(value, tuple):
        return tuple(in_full_precision(item) for item in value)
    return value


def _device_type(signals: Mapping[str, Any]) -> str:
    for value in signals.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Tensor):
                return item.device.type
    return "cpu"
