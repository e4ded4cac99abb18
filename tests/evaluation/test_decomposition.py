"""KD in parts: they sum to KD's cross-entropy, their gradients are autograd's, two classes."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.evaluation.decomposition import decompose
from cls_kd.functional import softened_cross_entropy
from cls_kd.losses import NKDLoss

N, K = 6, 5
LABELS = torch.tensor([0, 1, 2, 3, 4, 2])


def logits(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(N, K, generator=generator, dtype=torch.float64)


temperatures = pytest.mark.parametrize("temperature", [1.0, 4.0])


@temperatures
def test_the_parts_sum_to_kd(temperature: float) -> None:
    student, teacher = logits(0), logits(1)
    parts = decompose(student, teacher, LABELS, temperature)
    kd = softened_cross_entropy(student, teacher, temperature)
    torch.testing.assert_close(parts.total.mean(), kd)
    torch.testing.assert_close(parts.target + parts.mass + parts.shape, parts.total)
    assert (parts.target > 0).all()
    assert (parts.non_target > 0).all()


@temperatures
def test_target_part_by_hand(temperature: float) -> None:
    student, teacher = logits(0), logits(1)
    s, t = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    parts = decompose(student, teacher, LABELS, temperature)
    for n, label in enumerate(LABELS.tolist()):
        target = -(temperature**2) * t[n, label] * s[n, label].log()
        assert parts.target[n].item() == pytest.approx(target.item())
        assert parts.teacher_mass[n].item() == pytest.approx(1 - t[n, label].item())
        assert parts.student_mass[n].item() == pytest.approx(1 - s[n, label].item())


@temperatures
def test_the_normalized_part_is_nkds(temperature: float) -> None:
    student, teacher = logits(0), logits(1)
    nkd = NKDLoss(temperature=temperature, gamma=1.0)(
        student_logits=student, teacher_logits=teacher, labels=LABELS
    )
    parts = decompose(student, teacher, LABELS, temperature)
    torch.testing.assert_close(parts.normalized.mean(), nkd["loss_non_target"])
    torch.testing.assert_close(parts.shape, parts.teacher_mass * parts.normalized)
    assert (parts.floor <= parts.normalized).all()
    same = decompose(teacher, teacher, LABELS, temperature)
    torch.testing.assert_close(same.floor, same.normalized)
    assert same.normalized_gradient.max() < 1e-12


@temperatures
def test_gradients_are_autograds(temperature: float) -> None:
    student, teacher = logits(0).requires_grad_(), logits(1)
    parts = decompose(student, teacher, LABELS, temperature)
    for value, norm in (
        (parts.total, parts.gradient),
        (parts.target, parts.target_gradient),
        (parts.non_target, parts.non_target_gradient),
        (parts.normalized, parts.normalized_gradient),
    ):
        (gradient,) = torch.autograd.grad(value.sum(), student, retain_graph=True)
        torch.testing.assert_close(gradient.norm(dim=1), norm)


def test_two_classes_in_closed_form() -> None:
    """With two classes there is one other class, so shares say nothing: only its mass is left."""
    temperature, difference, belief = 2.0, 3.0, 0.8
    student = torch.tensor([[difference, 0.0]])
    teacher = torch.tensor([[math.log(belief / (1 - belief)) * temperature, 0.0]])
    parts = decompose(student, teacher, torch.tensor([0]), temperature).mean()
    s = 1 / (1 + math.exp(-difference / temperature))
    assert parts["target"] == pytest.approx(-4 * belief * math.log(s))
    assert parts["mass"] == pytest.approx(-4 * (1 - belief) * math.log(1 - s))
    assert parts["shape"] == parts["normalized"] == parts["floor"] == 0
    assert parts["gradient"] == pytest.approx(2 * math.sqrt(2) * abs(s - belief))
    assert parts["target_gradient"] == pytest.approx(2 * math.sqrt(2) * belief * (1 - s))
    assert parts["non_target_gradient"] == pytest.approx(2 * math.sqrt(2) * (1 - belief) * s)
    assert parts["student_mass"] == pytest.approx(1 - s)
    share = parts["target"] / (parts["target"] + parts["non_target"])
    assert parts["target_share"] == pytest.approx(share)


def test_certain_networks_stay_finite() -> None:
    sure = 500 * F.one_hot(LABELS, K).double()
    for student, teacher in ((sure, sure.roll(1, 1)), (sure.roll(1, 1), sure), (sure, sure)):
        means = decompose(student.float(), teacher.float(), LABELS).mean()
        gone = {"target_share", "target_gradient_share"}  # 0 / 0 where nothing is left to learn
        assert all(math.isfinite(one) for name, one in means.items() if name not in gone)


def test_the_mean_is_over_samples() -> None:
    student, teacher = logits(0), logits(1)
    whole = decompose(student, teacher, LABELS).mean()
    halves = [
        decompose(student[part], teacher[part], LABELS[part]).mean()
        for part in (slice(0, 3), slice(3, 6))
    ]
    for name in ("target", "mass", "shape", "gradient", "student_mass"):
        assert whole[name] == pytest.approx((halves[0][name] + halves[1][name]) / 2)
