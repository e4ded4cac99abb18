"""The terms of a distiller's objective: a loss, its weight, and the teacher that it listens to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from cls_kd.building import build
from cls_kd.errors import UserError
from cls_kd.losses import LOSSES
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.returned import check_returned
from cls_kd.modules.schedules import Schedule, WeightConfig, as_schedule
from cls_kd.signals import VOCABULARY, check_names
from cls_kd.signals.vocabulary import OF_ALL_TEACHERS

LossBuilder = Callable[[str, Mapping[str, Any]], Any]
"""Name and config of a loss, without weight and teacher, to the loss."""

ScheduleBuilder = Callable[[WeightConfig], Schedule]


class Term:
    """One term of the objective.

    Args:
        loss: The loss.
        weight: A number, a schedule over the training time, or the config of one. Default: 1.
        teacher: Index or name of the teacher whose signals the loss gets, where the distiller has
            several. Default: the only one; of several, the mean of their logits.
        group: For optimizers that keep gradients apart (`cls_kd.optimizers`): the group that the
            term belongs to. Default: the loss's own, ``'task'`` of the losses that compare with the
            labels alone and ``'distillation'`` of all others.
    """

    def __init__(
        self,
        loss: DistillLoss,
        weight: WeightConfig = 1.0,
        teacher: int | str | None = None,
        group: str | None = None,
    ) -> None:
        self.loss = loss
        self.weight = as_schedule(weight)
        self.teacher = teacher
        self.group = str(group or getattr(loss, "group", ""))


LossConfig = Mapping[str, Any] | DistillLoss | Term


def build_terms(
    losses: Mapping[str, LossConfig],
    build_loss: LossBuilder,
    build_schedule: ScheduleBuilder = as_schedule,
) -> dict[str, Term]:
    """The terms of an objective, by name.

    Args:
        losses: Name to a `Term`, a loss, or the config of a loss with ``weight``, ``teacher``
            and ``group``.
        build_loss: Creates a loss from its config.
        build_schedule: Creates a schedule from a weight.

    Raises:
        UserError: There is no loss, a name cannot be used, or something is not a loss.
    """
    if not isinstance(losses, Mapping):
        raise UserError(
            "The losses must be a dict of names and losses, such as losses=dict(ce=TaskLoss()), "
            f"not of the type {type(losses).__name__}."
        )
    if not losses:
        raise UserError("The distiller has no loss: give losses=dict(ce=dict(type='TaskLoss')).")
    terms = {}
    for name, config in losses.items():
        _check_name(name)
        terms[name] = _term(name, config, build_loss, build_schedule)
        if not isinstance(terms[name].loss, DistillLoss):
            kind = type(terms[name].loss).__name__
            raise UserError(f"The loss {name!r} is a {kind}, which is no DistillLoss.")
        check_names(
            terms[name].loss.signals, f"The loss {name!r} ({type(terms[name].loss).__name__})"
        )
    return terms


def build_loss(name: str, config: Mapping[str, Any]) -> Any:
    """A loss from its config; ``type`` is a class or the name of one of `cls_kd.losses`."""
    return build(config, LOSSES, f"The loss {name!r}")


def choose_teacher(name: str, term: Term, names: list[str]) -> int | None:
    """Index of the teacher that a term listens to; None for all of them, averaged.

    Args:
        name: Name of the term, for messages.
        term: The term.
        names: Names of the teachers.

    Raises:
        UserError: There is no such teacher, or the loss cannot do with the mean of several.
    """
    wanted = [name for name in term.loss.signals if VOCABULARY[name].provider == "teacher"]
    if term.teacher is not None:
        return _named_teacher(name, term.teacher, names)
    if not wanted:
        return 0
    if not names:
        raise UserError(
            f"The loss {name!r} asks for {wanted[0]!r}, and there is no teacher: give the "
            "distiller teacher=dict(network=..., weights=...)."
        )
    if len(names) == 1:
        return 0
    logits = ("teacher_logits", "teacher_view_logits", *OF_ALL_TEACHERS)
    others = [signal for signal in wanted if signal not in logits]
    if others:
        raise UserError(
            f"The loss {name!r} asks for {others[0]!r} of {len(names)} teachers; only logits can "
            "be averaged: say which one, teacher=0 or teacher='name'."
        )
    return None


def weighted(name: str, value: Any, weight: float | Tensor) -> dict[str, Tensor]:
    """The values of a loss as logged: ``{'nkd.loss_target': ..., 'nkd.temperature': ...}``."""
    values = check_returned(name, value)
    return {
        f"{name}.{key}": _times(item, weight) if "loss" in key else item.detach()
        for key, item in values.items()
    }


def _times(value: Tensor, weight: float | Tensor) -> Tensor:
    # A tensor is not looked at: the host would wait for it.
    return value if isinstance(weight, float) and weight == 1.0 else value * weight


def _term(
    name: str, config: LossConfig, build_loss: LossBuilder, build_schedule: ScheduleBuilder
) -> Term:
    if isinstance(config, Term):
        return config
    if isinstance(config, nn.Module):
        return Term(config)  # type: ignore[arg-type]
    if not isinstance(config, Mapping):
        raise UserError(
            f"The loss {name!r} is {config!r:.80}: give a loss such as KDLoss(), a Term, or a "
            "config such as dict(type='KDLoss')."
        )
    options = dict(config)
    weight, teacher = build_schedule(options.pop("weight", 1.0)), options.pop("teacher", None)
    group = options.pop("group", None)
    return Term(build_loss(name, options), weight, teacher, group)


def _check_name(name: str) -> None:
    # 'loss' in a key of the log marks what is summed; the rest is what a ModuleDict cannot hold.
    if not name or "." in name or "loss" in name or hasattr(nn.ModuleDict, name):
        raise UserError(
            f"A loss cannot be named {name!r}: call it after its method, such as 'kd', without a "
            "dot and without the word 'loss'."
        )


def _named_teacher(name: str, teacher: int | str, names: list[str]) -> int:
    index = names.index(str(teacher)) if teacher in names else teacher
    if not isinstance(index, int) or not 0 <= index < len(names):
        raise UserError(
            f"The loss {name!r} wants teacher {teacher!r}; there are {len(names)}: "
            f"{', '.join(names) or 'none'}."
        )
    return index
