"""Losses from configs, by MMEngine's registry: also losses that a user registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cls_kd.errors import UserError, did_you_mean
from cls_kd.losses import LOSSES, DistillLoss
from cls_kd.modules.schedules import SCHEDULES as KNOWN_SCHEDULES
from cls_kd.modules.schedules import Schedule, WeightConfig, as_schedule
from cls_kd.registry import MODELS, SCHEDULES

for _loss in LOSSES.values():
    MODELS.register_module(module=_loss)
for _schedule in KNOWN_SCHEDULES.values():
    SCHEDULES.register_module(module=_schedule)


def build_registered_schedule(weight: WeightConfig) -> Schedule:
    """A weight schedule from a number, a schedule, or the config of a registered one."""
    return as_schedule(SCHEDULES.build(weight) if isinstance(weight, Mapping) else weight)


def build_registered_loss(name: str, config: Mapping[str, Any]) -> Any:
    """A loss from its config, and the losses that its options hold.

    Args:
        name: Name of the loss, for messages.
        config: ``type`` (a class, a registered name or a dotted path) and options.

    Raises:
        UserError: There is no such loss, or it does not take these options.
    """
    kind = config.get("type")
    if kind is None:
        raise UserError(f"The loss {name!r} says no type, such as type='KDLoss'.")
    if isinstance(kind, str) and MODELS.get(kind) is None:
        raise UserError(f"The loss {name!r} has the unknown type {kind!r}.{_hint(kind)}")
    options = {
        key: build_registered_loss(name, value) if _is_loss(value) else value
        for key, value in config.items()
    }
    try:
        return MODELS.build(options)
    except TypeError as error:
        raise UserError(f"The loss {name!r} cannot be built: {error}") from error


def _is_loss(value: Any) -> bool:
    """True if an option is the config of a loss, without the weight that only a term has."""
    of_a_term = {"weight", "teacher", "group"}
    if not isinstance(value, Mapping) or "type" not in value or of_a_term & set(value):
        return False
    kind = value["type"]
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, DistillLoss)


def _hint(kind: str) -> str:
    losses = [
        name
        for name, value in MODELS.module_dict.items()
        if isinstance(value, type) and issubclass(value, DistillLoss)
    ]
    return did_you_mean(kind.rsplit(".", 1)[-1], losses)
