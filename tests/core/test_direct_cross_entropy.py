"""The student's own loss without its head's detours, where it is plain cross-entropy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cls_kd.signals import Batch
from cls_kd.signals.heads import criterion_of, direct_criterion_of, has_plain_criterion
from tests.distillers import tiny

LABELS = torch.tensor([1, 2, 3, 4])


def network(**head: Any) -> Any:
    config = tiny.digits_cnn()
    return tiny.MODELS.build({**config, "head": {**config["head"], **head}})


def batch(labels: torch.Tensor = LABELS) -> Batch:
    return Batch(tiny.images(), labels, tiny.CLASSES)


@pytest.mark.parametrize(
    ("loss", "plain"),
    [
        (dict(type="CrossEntropyLoss"), True),
        (dict(type="CrossEntropyLoss", loss_weight=0.5), False),
        (dict(type="CrossEntropyLoss", class_weight=[1.0] * 10), False),
        (dict(type="LabelSmoothLoss", label_smooth_val=0.1), False),
    ],
)
def test_it_is_taken_where_the_head_s_loss_is_plain(loss: Any, plain: bool) -> None:
    student, logits = network(loss=loss), torch.randn(4, 10)
    assert has_plain_criterion(student) == plain
    by_head = criterion_of(student, batch())(logits)
    torch.testing.assert_close(direct_criterion_of(student, batch())(logits), by_head)


def test_measured_accuracy_and_mixed_labels_are_left_to_the_head() -> None:
    assert not has_plain_criterion(network(cal_acc=True))
    mixed = batch(tiny.distribution(4))
    assert "direct" not in direct_criterion_of(nn.Linear(2, 2), mixed).__qualname__


def test_a_distiller_uses_it() -> None:
    losses, values = dict(ce=dict(type="TaskLoss")), []
    for direct in (False, True):
        model = tiny.distiller(losses, direct_cross_entropy=direct)
        model.student.head.loss_module.register_forward_hook(lambda *_: values.append("head"))
        values.append(tiny.step(model, tiny.data())["loss"].detach())
    first, second = (value for value in values if value != "head")
    torch.testing.assert_close(first, second)
    assert values.count("head") == 1
