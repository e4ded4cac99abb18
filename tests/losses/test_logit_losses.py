"""Logit losses where closed forms, or float64, say what is right."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from cls_kd.losses import (
    DISTLoss,
    DKDLoss,
    KDLoss,
    NKDLoss,
    StandardizedLogitsLoss,
    TaskLoss,
    WSLDLoss,
)
from cls_kd.signals.shapes import SignalShapes

LOSSES: list[Any] = [
    KDLoss(temperature=1.0),
    DKDLoss(temperature=1.0),
    NKDLoss(),
    DISTLoss(),
    WSLDLoss(),
    StandardizedLogitsLoss(loss=dict(type="KDLoss", temperature=2.0)),
]


def value_and_gradient(
    loss: Any, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    student = student.clone().requires_grad_()
    signals = dict(student_logits=student, teacher_logits=teacher, labels=labels)
    result = loss(**{name: signals[name] for name in loss.signals})
    value = sum(result.values()) if isinstance(result, dict) else result
    value.backward()
    return value.detach(), student.grad


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])
SIGNS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).sign()
SURE = 2 * F.one_hot(LABELS, 5).float() - 1


@pytest.mark.parametrize("scale", [1.0, 50.0, 500.0])
@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        pytest.param(SIGNS, SIGNS.roll(1, 0), id="mixed"),
        pytest.param(SURE.roll(1, 1), SURE, id="student_sure_of_another_class"),
        pytest.param(SURE, SIGNS, id="student_sure_of_the_label"),
        pytest.param(SURE, SURE.roll(1, 1), id="teacher_sure_of_another_class"),
    ],
)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_float32_says_what_float64_says(
    loss: Any, student: torch.Tensor, teacher: torch.Tensor, scale: float
) -> None:
    """A logarithm of a softmax underflows at these logits, and its gradient with it."""
    generator = torch.Generator().manual_seed(1)
    student = student * scale + torch.rand(6, 5, generator=generator)
    teacher = teacher * scale + torch.rand(6, 5, generator=generator)
    value, gradient = value_and_gradient(loss, student, teacher, LABELS)
    exact, exact_gradient = value_and_gradient(loss, student.double(), teacher.double(), LABELS)
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-6)
    largest = exact_gradient.abs().max().item()
    torch.testing.assert_close(
        gradient.double(), exact_gradient, rtol=1e-3, atol=1e-4 * largest + 1e-7
    )


def test_kd_of_opposite_certainties() -> None:
    teacher = torch.tensor([[500.0, -500.0]])
    value, gradient = value_and_gradient(KDLoss(temperature=1.0), -teacher, teacher, torch.zeros(1))
    assert value.item() == 1000.0
    assert gradient.tolist() == [[-1.0, 1.0]]


def test_dkd_with_two_classes_has_no_non_target_part() -> None:
    student, teacher = torch.randn(4, 2), torch.randn(4, 2)
    labels = torch.tensor([0, 1, 0, 1])
    all_of_it, _ = value_and_gradient(DKDLoss(beta=8.0), student, teacher, labels)
    target_only, _ = value_and_gradient(DKDLoss(beta=0.0), student, teacher, labels)
    kd, _ = value_and_gradient(KDLoss(temperature=4.0), student, teacher, labels)
    assert all_of_it == target_only
    torch.testing.assert_close(target_only, kd)


def test_dkd_splits_kd() -> None:
    """KD = TCKD + (1 - teacher's target probability) NCKD, here for one sample."""
    student, teacher = torch.randn(1, 6), torch.randn(1, 6)
    labels = torch.tensor([2])
    kd, _ = value_and_gradient(KDLoss(temperature=2.0), student, teacher, labels)
    beta = 1 - torch.softmax(teacher / 2, 1)[0, 2].item()
    dkd, _ = value_and_gradient(DKDLoss(temperature=2.0, beta=beta), student, teacher, labels)
    torch.testing.assert_close(dkd, kd)


def test_nkd_names_its_two_terms_and_ignores_the_label_in_the_second() -> None:
    student, teacher = torch.randn(3, 5), torch.randn(3, 5)
    labels = torch.tensor([0, 1, 4])
    signals = dict(student_logits=student, teacher_logits=teacher, labels=labels)
    before = NKDLoss()(**signals)
    louder = student.clone()
    louder[torch.arange(3), labels] += 5
    after = NKDLoss()(**(signals | {"student_logits": louder}))
    assert set(before) == {"loss_target", "loss_non_target"}
    torch.testing.assert_close(after["loss_non_target"], before["loss_non_target"])
    assert after["loss_target"] < before["loss_target"]


def test_nkd_of_uniform_networks() -> None:
    zeros = torch.zeros(2, 5)
    terms = NKDLoss(temperature=3.0, gamma=2.0)(
        student_logits=zeros, teacher_logits=zeros, labels=torch.tensor([0, 3])
    )
    assert terms["loss_target"].item() == pytest.approx(math.log(5) / 5)
    assert terms["loss_non_target"].item() == pytest.approx(2 * 9 * math.log(4))


def test_dist_ignores_confident_rows_of_the_same_shape() -> None:
    """Zero for any positive linear map of probabilities, not for the same arg-max alone."""
    teacher = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6]])
    softer = 0.5 * teacher + 0.5 / 3
    loss = DISTLoss()(student_logits=softer.log(), teacher_logits=teacher.log())
    assert loss.item() == pytest.approx(0, abs=1e-6)
    kd = KDLoss()(student_logits=softer.log(), teacher_logits=teacher.log())
    assert kd.item() > 1e-3


def test_task_loss_is_the_students_own() -> None:
    logits = torch.randn(2, 3)
    loss = TaskLoss()(student_logits=logits, student_criterion=lambda z: z.square().sum())
    assert loss == logits.square().sum()


def test_wsld_does_not_listen_where_the_student_knows_the_label() -> None:
    teacher = torch.randn(2, 5)
    labels = torch.tensor([1, 3])
    sure = 100 * F.one_hot(labels, 5).float()
    value, gradient = value_and_gradient(WSLDLoss(), sure, teacher, labels)
    assert value.item() == 0
    assert (gradient == 0).all()


def test_wsld_of_equal_errors_is_a_share_of_kd() -> None:
    """Both cross-entropies are equal, so every weight is 1 - 1/e."""
    logits = torch.randn(3, 5)
    labels = torch.tensor([0, 2, 4])
    value, _ = value_and_gradient(WSLDLoss(temperature=1.0), logits, logits, labels)
    entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
    assert value.item() == pytest.approx((1 - math.exp(-1)) * entropy.item(), rel=1e-5)


def test_standardized_asks_for_what_its_inner_loss_asks_for() -> None:
    loss = StandardizedLogitsLoss(loss=dict(type=DKDLoss, temperature=2.0))
    assert loss.signals == ("student_logits", "teacher_logits", "labels")
    assert isinstance(loss.loss, DKDLoss)
    assert loss.loss.temperature == 2.0
    nested = StandardizedLogitsLoss(loss=dict(type=NKDLoss))
    terms = nested(
        student_logits=torch.randn(2, 4),
        teacher_logits=torch.randn(2, 4),
        labels=torch.tensor([1, 2]),
    )
    assert set(terms) == {"loss_target", "loss_non_target"}


def test_standardized_builds_its_inner_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SignalShapes] = []
    monkeypatch.setattr(KDLoss, "build", lambda self, shapes: seen.append(shapes))
    facts = SignalShapes({}, num_classes=3)
    StandardizedLogitsLoss(loss=dict(type="KDLoss")).build(facts)
    assert seen == [facts]
