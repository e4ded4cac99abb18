"""Data without labels: losses that need some are refused before anything trains."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from cls_kd.data.unlabeled import is_labeled
from cls_kd.errors import UserError
from cls_kd.losses import LOSSES, DistillLoss
from cls_kd.signals.vocabulary import OF_CLASSES, OF_LABELS


def check_unlabeled(dataset: Any, losses: Mapping[str, DistillLoss]) -> None:
    """Refuse losses that ask for labels, where the training data have none.

    Args:
        dataset: The training data.
        losses: The losses by their names.

    Raises:
        UserError: Which loss asks for what, with a list of losses that need no labels.
    """
    if is_labeled(dataset):
        return
    for name, loss in losses.items():
        asked = sorted(OF_LABELS & set(loss.signals))
        if asked:
            raise UserError(
                f"The training data have no labels, and the loss {name!r} ({type(loss).__name__}) "
                f"asks for {asked[0]!r}. Losses that need none, of any teacher: "
                f"{', '.join(without_labels())}; of a teacher with the student's classes also: "
                f"{', '.join(without_labels(classes=True))}."
            )


def without_labels(*, classes: bool = False) -> list[str]:
    """Names of the losses that need a teacher, and no labels.

    Args:
        classes: Those that need the teacher's logits; else those that do not. Losses around another
            one are left out, for that one decides.
    """
    names = []
    for name, loss in LOSSES.items():
        asked = set(inspect.signature(loss.forward).parameters)
        of_teacher = any("teacher" in signal for signal in asked)
        if of_teacher and not asked & OF_LABELS and bool(asked & OF_CLASSES) == classes:
            names.append(name)
    return names
