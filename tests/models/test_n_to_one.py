"""NORM's student: its block, its signal, and what is said where it is missing."""

from __future__ import annotations

import pytest
import torch

from cls_kd.errors import UserError
from tests.distillers import tiny

NORM = dict(ce=dict(type="TaskLoss"), norm=dict(type="NORMLoss"))


def test_the_block_is_a_residual_that_starts_as_published() -> None:
    network = tiny.build(tiny.expanded(tiny.digits_cnn(), tiny.teacher()["network"])).eval()
    images = tiny.images(3)
    last = network.backbone(images)[-1]
    expanded = network.neck.expand(last)
    assert expanded.shape == (3, 2 * 12, 2, 2)
    pooled = (last + network.neck.contract(expanded)).mean((2, 3))
    torch.testing.assert_close(network(images), network.head((pooled,)))
    assert network.neck.expand[0].weight.std().item() == pytest.approx((2 / 24) ** 0.5, rel=0.2)


def test_the_loss_sees_the_expanded_map() -> None:
    student = tiny.expanded(tiny.digits_cnn(), tiny.teacher()["network"])
    model = tiny.distiller(NORM, student=student, teacher=tiny.teacher()).eval()
    images, labels = tiny.images(4), torch.arange(4)
    network = model.student
    expanded = network.neck.expand(network.backbone(images)[-1])
    teacher = model.teachers[0].network.backbone(images)[-1]
    expected = sum((group - teacher).square().mean() for group in expanded.chunk(2, dim=1))
    torch.testing.assert_close(model.loss(images, labels)["norm.loss"], expected)


def test_another_student_or_another_width_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not expand its last map: NORM needs a student of"):
        tiny.distiller(NORM, teacher=tiny.teacher())
    student = {**tiny.expanded(tiny.digits_cnn(), tiny.teacher()["network"])}
    student |= {"teacher_channels": 5, "n": 3}
    with pytest.raises(UserError, match=r"15 channels, no multiple .* 12. Give .*channels=12"):
        tiny.distiller(NORM, student=student, teacher=tiny.teacher())
