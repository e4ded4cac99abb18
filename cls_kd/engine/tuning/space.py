"""Search space of a method: the spaces that its losses declare, and the weights of its terms."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss
from cls_kd.losses.search import Space, around
from cls_kd.registry import MODELS, resolve

_LOSSES = "model.losses"
_TASK = "task"


@dataclass(frozen=True)
class Option:
    """One setting of a method.

    Attributes:
        name: For people: ``kd.temperature``.
        space: Its values.
        default: The config's value, which the space contains.
    """

    name: str
    space: Space
    default: Any

    @property
    def key(self) -> str:
        """Its place in a config, as in ``--cfg-options``."""
        return f"{_LOSSES}.{self.name}"


def options_of(losses: Mapping[str, Mapping[str, Any]]) -> list[Option]:
    """The settings of a method that are searched.

    They are the options that a loss declares in ``search_space``, those of a loss inside it
    included, and the weight of each term whose weight is a number above 0. The weights of task
    losses stay, since only the ratio to them matters.

    Args:
        losses: ``model.losses`` of a config: name to config.

    Raises:
        UserError: There is nothing to search.
    """
    options = [option for name, config in losses.items() for option in _of_term(name, config)]
    if not options:
        raise UserError(
            f"There is nothing to tune: {', '.join(losses)} has no weight against a task loss and "
            "no search space."
        )
    return options


def as_changes(options: list[Option], setting: Mapping[str, Any]) -> dict[str, Any]:
    """A setting by name, as changes of a config with dotted keys."""
    return {option.key: setting[option.name] for option in options}


def _of_term(name: str, config: Mapping[str, Any]) -> Iterator[Option]:
    kind = _loss_class(config)
    yield from _of_loss(name, config)
    weight = config.get("weight", 1.0)
    group = config.get("group") or (kind.group if kind is not None else _TASK)
    if group != _TASK and _is_number(weight) and weight > 0:
        yield Option(f"{name}.weight", around(float(weight)), float(weight))


def _of_loss(name: str, config: Mapping[str, Any]) -> Iterator[Option]:
    kind = _loss_class(config)
    if kind is None:
        return
    parameters = inspect.signature(kind).parameters
    for option, space in kind.search_space.items():
        default = config.get(option, parameters[option].default)
        yield Option(f"{name}.{option}", space.containing(default), default)
    if isinstance(config.get("loss"), Mapping):
        yield from _of_loss(f"{name}.loss", config["loss"])


def _loss_class(config: Mapping[str, Any]) -> type[DistillLoss] | None:
    kind = resolve(MODELS, config.get("type"))
    return kind if inspect.isclass(kind) and issubclass(kind, DistillLoss) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
