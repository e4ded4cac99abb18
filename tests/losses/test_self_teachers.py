"""Losses by which a student teaches itself; outputs of exits and self-teachers are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses import BYOTLoss, FRSKDLoss, SDDropoutLoss
from cls_kd.modules.exits import Exits
from cls_kd.modules.pyramid import SelfTeacher

from . import reference
from .reference import FOLDER, as_signals, assert_reproduced

every_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
every_case = pytest.mark.parametrize("case", [1, 2])
SHAPES = ((3, 8, 8), (4, 4, 4), (6, 4, 4), (5, 2, 2))


class Given(nn.Module):
    """Outputs that do not depend on the input."""

    def __init__(self, *outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, stages: Any) -> Any:
        return self.outputs


def distillation(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the label's term, which the files do not hold."""
    return {name: value for name, value in terms.items() if name != "loss_task"}


def zero(logits: Tensor) -> Tensor:
    return 0 * logits.sum()


@every_type
@every_case
def test_byot(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"byot-{case}.npz")
    leaves = read.leaves(dtype)
    loss = BYOTLoss(**read.meta["args"])
    loss.exits = Given(leaves["peer_logits"], leaves["peer_embeddings"])
    terms = loss(leaves["student_logits"], leaves["student_embedding"], (), zero)
    assert_reproduced(distillation(terms), read, leaves, dtype)


@every_type
@every_case
def test_frskd(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"frskd-{case}.npz")
    leaves = read.leaves(dtype)
    signals = as_signals(leaves)
    loss = FRSKDLoss(**read.meta["args"])
    loss.teacher = Given(signals["teacher_logits"], signals["teacher_stages"])
    terms = loss(signals["student_logits"], signals["student_stages"], zero)
    assert_reproduced(distillation(terms), read, leaves, dtype)


@every_type
@every_case
def test_sd_dropout(case: int, dtype: torch.dtype) -> None:
    """The classifier gives the reference's logits, one draw after the other."""
    read = reference.read(FOLDER / f"sd_dropout-{case}.npz")
    leaves = read.leaves(dtype)
    draws = iter(leaves["peer_logits"])
    value = SDDropoutLoss(**read.meta["args"])(
        torch.zeros(1, 1, dtype=dtype), lambda _: next(draws)
    )
    assert_reproduced(value, read, leaves, dtype)


def test_sd_dropout_draws_twice() -> None:
    torch.manual_seed(0)
    seen = []

    def classify(feature: Tensor) -> Tensor:
        seen.append(feature)
        return feature.flatten(1)

    SDDropoutLoss(rate=0.25)(torch.ones(200, 10), classify)
    first, second = seen
    assert first.shape == (200, 10, 1, 1)
    for draw in seen:
        assert (draw == 0).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert not torch.equal(first, second)


def test_exits_give_one_width_and_train() -> None:
    exits = Exits(SHAPES, width=7, num_classes=4)
    stages = [torch.randn(2, *shape, requires_grad=True) for shape in SHAPES]
    logits, embeddings = exits(stages)
    assert logits.shape == (3, 2, 4)
    assert embeddings.shape == (3, 2, 7)
    logits.sum().backward()
    assert [stage.grad is not None for stage in stages] == [True, True, True, False]
    blocks = [len(branch.blocks) for branch in exits]
    assert blocks == [3, 2, 1], "one for each stage that follows"


def test_byot_needs_two_stages() -> None:
    signals = dict(
        student_stages=(torch.zeros(1, *SHAPES[0]),), student_embedding=torch.zeros(1, 3)
    )
    with pytest.raises(UserError, match="but the last, and there is 1 stage"):
        BYOTLoss().build(reference.shapes(signals))


def test_a_self_teacher_has_maps_like_the_students() -> None:
    stages = [torch.randn(2, *shape, requires_grad=True) for shape in SHAPES]
    teacher = SelfTeacher(SHAPES, num_classes=4)
    logits, maps = teacher(stages)
    assert logits.shape == (2, 4)
    assert [tuple(item.shape[1:]) for item in maps] == [
        (2 * channels, height, width) for channels, height, width in SHAPES
    ]
    logits.square().sum().backward()
    assert all(stage.grad.abs().sum() > 0 for stage in stages), "its labels train the student"
    assert all(parameter.grad is not None for parameter in teacher.parameters())


def test_frskd_labels_reach_the_stages_and_its_targets_do_not() -> None:
    loss = FRSKDLoss()
    stages = tuple(torch.randn(2, *shape, requires_grad=True) for shape in SHAPES)
    logits = torch.randn(2, 5, requires_grad=True)
    loss.build(reference.shapes(dict(student_stages=stages, student_logits=logits)))
    terms = loss(logits, stages, lambda values: values.square().mean())
    parameters = list(loss.parameters())
    for name in ("loss_logits", "loss_features"):
        grads = torch.autograd.grad(terms[name], parameters, retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in grads), name
    terms["loss_task"].backward()
    assert all(parameter.grad is not None for parameter in parameters)
    assert all(stage.grad.abs().sum() > 0 for stage in stages)
