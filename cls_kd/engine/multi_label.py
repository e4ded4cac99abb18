"""Students of several labels an image: losses of a single class are refused."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from mmpretrain.datasets import MultiLabelDataset
from mmpretrain.models import MultiLabelClsHead
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses import LOSSES, DistillLoss
from cls_kd.signals.vocabulary import OF_CLASSES, OF_LABELS, WITHOUT_CLASSIFIER


def is_multi_label(student: nn.Module) -> bool:
    """True if a student's head is for several labels an image."""
    return isinstance(getattr(student, "head", None), MultiLabelClsHead)


def labels_of_several(dataset: Any) -> Tensor | None:
    """All labels of a data set of several labels an image, one after the other; else None."""
    if not isinstance(dataset, MultiLabelDataset):
        return None
    labels = [label for index in range(len(dataset)) for label in dataset.get_cat_ids(index)]
    return torch.as_tensor(labels, dtype=torch.int64)


def check_multi_label(student: nn.Module, losses: Mapping[str, DistillLoss]) -> None:
    """Refuse losses of one class an image, for a student of several labels.

    Args:
        student: The student.
        losses: The losses by their names.

    Raises:
        UserError: Which loss, with a list of those of logits that make sense.
    """
    if not is_multi_label(student):
        return
    for name, loss in losses.items():
        asked = _of_classes(set(loss.signals))
        if asked and not loss.multi_label:
            raise UserError(
                f"The student has a {type(getattr(student, 'head', None)).__name__}, for several "
                f"labels an image, and the loss {name!r} ({type(loss).__name__}) asks for "
                f"{asked[0]!r} as of one class an image. Losses of logits that make sense there: "
                f"{', '.join(for_several_labels())}; and all that ask for neither logits nor "
                "labels."
            )


def for_several_labels() -> list[str]:
    """Names of the losses of logits that make sense for several labels an image."""
    return sorted(
        name
        for name, loss in LOSSES.items()
        if loss.multi_label and _of_classes(set(inspect.signature(loss.forward).parameters))
    )


def _of_classes(signals: set[str]) -> list[str]:
    """Those of the signals that are logits, labels, or made of them."""
    of_student = {name for name in signals if name.startswith(("student_", "view_", "peer_"))}
    return sorted((signals & (OF_CLASSES | OF_LABELS)) | (of_student - WITHOUT_CLASSIFIER))
