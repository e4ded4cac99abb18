"""Logit losses whose reference values need more than a call: schedules, and costs as an input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import (
    CRLDLoss,
    CTKDLoss,
    DeepKDNonTargetLoss,
    DeepKDTargetLoss,
    EveryViewLoss,
    SLDLoss,
    WKDLogitLoss,
)

from . import reference
from .reference import TOLERANCE, Reference, assert_close

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def files(name: str) -> Any:
    chosen = [file for file in reference.FILES if file.stem in (f"{name}-1", f"{name}-2")]
    assert len(chosen) == 2
    return pytest.mark.parametrize("file", chosen, ids=lambda file: file.stem)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def check(read: Reference, value: Tensor, leaves: dict[str, Tensor], dtype: torch.dtype) -> None:
    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    value.backward()
    for name, gradient in read.gradients.items():
        assert_close(leaves[name].grad, gradient, TOLERANCE[dtype], name)


@files("crld")
@DTYPES
def test_crld(file: Path, dtype: torch.dtype) -> None:
    """The reference's second view has signals of its own."""
    read = reference.read(file)
    leaves = read.leaves(dtype)
    given = dict(read.meta["args"])
    thresholds = dict(
        weak_threshold=given.pop("tau_weak"), strong_threshold=given.pop("tau_strong")
    )
    views = {
        signal: torch.stack([leaves[f"{role}_logits"], leaves[f"{role}_logits_strong"]])
        for role, signal in (("student", "view_logits"), ("teacher", "teacher_view_logits"))
    }
    result = CRLDLoss(**thresholds, **given)(**views)
    check(read, torch.stack(list(result.values())).sum(), leaves, dtype)


@files("ctkd")
@DTYPES
def test_ctkd(file: Path, dtype: torch.dtype) -> None:
    """The reference's factor -0.5 is that of the fifth epoch of a ramp of ten, -1 of the tenth."""
    read = reference.read(file)
    leaves = read.leaves(dtype)
    arguments = read.meta["args"]
    loss = CTKDLoss(start=arguments["start"], width=arguments["range"], ramp=10 / 240)
    parameters = reference.build(loss, read, leaves, {})
    loss.to(dtype)
    epoch = {-0.5: 4, -1.0: 9}[arguments["reversal"]]
    result = loss(**leaves, epoch=epoch, max_epochs=240)
    check(read, result["loss"], leaves, dtype)
    temperature = read.arrays["out.temperature"].item()
    assert result["temperature"].item() == pytest.approx(temperature, rel=TOLERANCE[dtype])
    # Two parts of it, both of the size of the loss, nearly cancel.
    rounding = 10 * torch.finfo(dtype).eps * result["loss"].item()
    expected = read.parameter_gradients["raw_temperature"].item()
    gradient = parameters["raw_temperature"].grad
    assert gradient is not None
    assert gradient.item() == pytest.approx(expected, rel=TOLERANCE[dtype], abs=rounding)


@files("deepkd")
@DTYPES
def test_deepkd(file: Path, dtype: torch.dtype) -> None:
    """Its two parts, with a gradient each, are losses of their own here."""
    read = reference.read(file)
    given = read.meta["args"]
    target = DeepKDTargetLoss(temperature=given["temperature"])
    non_target = DeepKDNonTargetLoss(temperature=given["temperature"], top=given["topk"])
    parts = [("target", target, given["alpha"]), ("non_target", non_target, given["beta"])]
    for name, loss, weight in parts:
        leaves = read.leaves(dtype)
        value = weight * loss(**leaves)
        assert value.item() == pytest.approx(
            read.arrays[f"out.{name}"].item(), rel=TOLERANCE[dtype]
        )
        value.backward()
        expected = read.arrays[f"grad_{name}.student_logits"]
        assert_close(leaves["student_logits"].grad, expected, TOLERANCE[dtype], name)
        assert loss.group == name


def test_deepkd_scaled_is_the_mean_mass_of_non_target_classes() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    signals = dict(student_logits=-logits, teacher_logits=logits, labels=torch.tensor([0, 2]))
    plain, scaled = (DeepKDNonTargetLoss(scaled=scaled)(**signals) for scaled in (False, True))
    certainty = (logits / 4).softmax(1)[[0, 1], [0, 2]].mean()
    torch.testing.assert_close(scaled, (1 - certainty) * plain)


@files("sld")
@DTYPES
def test_sld(file: Path, dtype: torch.dtype) -> None:
    """Case 1 has the teacher's swapped logits alone, case 2 the student's own as well."""
    read = reference.read(file)
    leaves = read.leaves(dtype)
    loss = SLDLoss(temperatures=read.meta["args"]["temperatures"], student_start=0.5)
    progress = 0.5 if read.meta["args"]["student_swap"] else 0.49
    value = torch.stack(list(loss(**leaves, progress=progress).values())).sum()
    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    value.backward()
    expected = read.arrays["out.grad_detached"]
    assert_close(leaves["student_logits"].grad, expected, TOLERANCE[dtype], "student_logits")


@files("wkd_logit")
@DTYPES
def test_wkd_logit(file: Path, dtype: torch.dtype) -> None:
    """The costs are given; trajectories check those of the teacher's classifier."""
    read = reference.read(file)
    leaves = read.leaves(dtype)
    given = dict(read.meta["args"])
    gamma, iterations = given.pop("gamma"), given.pop("sinkhorn_iter")
    loss = WKDLogitLoss(gamma=gamma, sinkhorn_iterations=iterations, **given)
    cost = leaves.pop("cost_matrix")
    target, distance = loss.parts(**leaves, cost=cost)
    check(read, target + gamma * distance, leaves, dtype)


def test_wkd_gamma_decreases_by_a_half_cosine() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, generator=generator)
    weight = torch.randn(4, 6, generator=generator)
    loss = WKDLogitLoss(gamma=2.0, decay_start=0.5)

    def distance(epoch: int) -> float:
        signals = dict(student_logits=logits, teacher_logits=logits.flip(1))
        result = loss(
            **signals,
            labels=torch.tensor([0, 1, 3]),
            teacher_feature=torch.zeros(3, 6, 2, 2),
            teacher_classify=lambda feature: feature.mean((2, 3)) @ weight.T + 1,
            epoch=epoch,
            max_epochs=8,
        )
        return result["loss_distance"].item()

    assert distance(0) > 0
    for epoch, factor in [(3, 1), (4, 1), (5, (1 + math.cos(math.pi / 4)) / 2), (6, 0.5)]:
        assert distance(epoch) == pytest.approx(factor * distance(0))


@pytest.mark.parametrize("inner", ["SLDLoss", "KDLoss"])
def test_every_view_is_the_sum_over_views(inner: str) -> None:
    """A view has the teacher's logits of its own; labels and the time are those of all."""
    views = {name: normal(2, 3, 4, seed=seed) for seed, name in enumerate(("student", "teacher"))}
    loss = EveryViewLoss(loss={"type": inner})
    shared = dict(labels=torch.tensor([0, 1, 3]), progress=0.7) if inner == "SLDLoss" else {}
    assert set(loss.signals) == {"view_logits", "teacher_view_logits", *shared}
    result = loss(view_logits=views["student"], teacher_view_logits=views["teacher"], **shared)
    each = [
        loss.loss(student_logits=student, teacher_logits=teacher, **shared)
        for student, teacher in zip(views["student"], views["teacher"], strict=True)
    ]
    if isinstance(result, dict):
        assert set(result) == {"loss_teacher", "loss_student"}
        for name, value in result.items():
            torch.testing.assert_close(value, each[0][name] + each[1][name])
    else:
        torch.testing.assert_close(result, each[0] + each[1])


def test_every_view_names_signals_that_no_view_has() -> None:
    with pytest.raises(UserError, match="FitNetLoss asks for student_stages, teacher_stages; the"):
        EveryViewLoss(loss={"type": "FitNetLoss"})
