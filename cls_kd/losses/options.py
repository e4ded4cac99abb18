"""Validation of the options of losses, and inner losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from cls_kd.building import build
from cls_kd.errors import UserError, did_you_mean
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.discovery import known_losses
from cls_kd.signals.shapes import Shape


def check_positive(owner: object, **options: float) -> None:
    """Refuse options that are not finite numbers above 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value > 0):
            raise UserError(f"{type(owner).__name__}: {name} must be above 0, not {value!r}.")


def check_not_negative(owner: object, **options: float) -> None:
    """Refuse options that are not finite numbers of 0 or more."""
    for name, value in options.items():
        if not (_is_finite(value) and value >= 0):
            raise UserError(f"{type(owner).__name__}: {name} must be 0 or more, not {value!r}.")


def check_fraction(owner: object, **options: float) -> None:
    """Refuse options that are not numbers from 0 to 1."""
    for name, value in options.items():
        if not (_is_finite(value) and 0 <= value <= 1):
            raise UserError(f"{type(owner).__name__}: {name} must be from 0 to 1, not {value!r}.")


def check_choice(owner: object, name: str, choice: str, known: Iterable[str]) -> None:
    """Refuse an option that is none of the names that are known."""
    known = tuple(known)
    if choice not in known:
        hint = did_you_mean(str(choice), known)
        raise UserError(f"{type(owner).__name__} has no {name} {choice!r}.{hint}")


def check_below_one(owner: object, **options: float) -> None:
    """Refuse options that are not numbers from 0 to 1, or are 1."""
    for name, value in options.items():
        if not (_is_finite(value) and 0 <= value < 1):
            raise UserError(f"{type(owner).__name__}: {name} must be in [0, 1), not {value!r}.")


def check_steps(owner: object, inference_steps: int, train_steps: int) -> None:
    """Refuse numbers of denoising steps that do not divide a half of the diffusion times."""
    check_positive(owner, inference_steps=inference_steps, train_steps=train_steps)
    if train_steps % (2 * inference_steps):
        raise UserError(
            f"{type(owner).__name__}: train_steps must be a multiple of twice the inference_steps, "
            f"{2 * inference_steps}, not {train_steps}."
        )


def check_finite(owner: object, name: str, values: Sequence[float]) -> None:
    """Refuse an option that is not one or more finite numbers."""
    if not isinstance(values, Sequence) or not values or not all(map(_is_finite, values)):
        raise UserError(
            f"{type(owner).__name__}: {name} must be a list of one or more numbers, not {values!r}."
        )


def check_temperatures(owner: object, temperatures: Sequence[float]) -> None:
    """Refuse what is not one or more finite numbers above 0."""
    check_finite(owner, "temperatures", temperatures)
    for temperature in temperatures:
        check_positive(owner, temperatures=temperature)


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def stage_shape(
    owner: object, network: str, shapes: Sequence[Shape], stage: int, unit: str = "stage"
) -> Shape:
    """Shape of one stage (negative: from the last), or an error with the number of stages.

    ``unit`` is the word for a stage in the error, such as ``'block'``.
    """
    if not -len(shapes) <= stage < len(shapes):
        raise UserError(
            f"{type(owner).__name__}: {unit} {stage} was asked for, but the {network} has "
            f"{len(shapes)} {unit}s: 0 to {len(shapes) - 1}, or -{len(shapes)} to -1."
        )
    return shapes[stage]


def built(module: nn.Module | None, owner: object) -> Any:
    """A submodule that ``build`` creates, or an error where ``build`` was not called."""
    if module is None:
        name = type(owner).__name__
        raise UserError(
            f"{name} has submodules of its own: call {name}.build(shapes) before the loss."
        )
    return module


def inner_loss(owner: object, loss: DistillLoss | Mapping[str, Any]) -> DistillLoss:
    """The loss that another one wraps, from an instance or a config.

    Raises:
        UserError: It is no distillation loss, or has a weight, a teacher or a group of its own.
    """
    name = type(owner).__name__
    if isinstance(loss, Mapping):
        for option in ("weight", "teacher", "group"):
            if option in loss:
                raise UserError(
                    f"{name}: {option!r} of the inner loss would have no effect; write it beside "
                    "'loss', not in it."
                )
        loss = build(loss, known_losses(), f"The inner loss of {name}")
    if not isinstance(loss, DistillLoss):
        raise UserError(f"{name}: {type(loss).__name__} is not a distillation loss.")
    return loss


def check_several_teachers(owner: object, teachers: int) -> None:
    """Refuse a single teacher, where a loss weighs teachers against each other."""
    if teachers < 2:
        raise UserError(
            f"{type(owner).__name__} weighs several teachers against each other, and there is "
            f"{teachers}: give a list of teachers, teacher=[dict(...), dict(...)]."
        )
