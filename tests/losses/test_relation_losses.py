"""RKD at the edges, and relations whose reference values need more than one call."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cls_kd.errors import UserError
from cls_kd.losses import CorrelationCongruenceLoss, ITRDLoss, PKTLoss, RKDLoss, RRDLoss, SPLoss

from . import reference
from .reference import TOLERANCE, as_signals, assert_reproduced
from .test_reference_values import PARTS

FOLDER = reference.FOLDER
every_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
every_case = pytest.mark.parametrize("case", [1, 2])


def test_a_batch_of_one_has_no_relations() -> None:
    student = torch.randn(1, 4, requires_grad=True)
    loss = RKDLoss()(student_embedding=student, teacher_embedding=torch.randn(1, 6))
    loss.backward()
    assert loss.item() == 0.0
    assert student.grad.abs().max() == 0.0


def test_samples_that_coincide_do_not_explode() -> None:
    student = torch.zeros(4, 3)
    student[3] = 1.0
    student.requires_grad_()
    loss = RKDLoss()(student_embedding=student, teacher_embedding=torch.randn(4, 6))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.abs().max() < 1e3


def test_near_neighbors_far_from_the_origin_keep_their_distances() -> None:
    """A Gram matrix in float32 would lose these digits."""
    points = torch.tensor([[0.0, 0.0], [0.01, 0.0], [0.0, 0.02], [0.03, 0.03]])
    loss = RKDLoss()(student_embedding=points + 100, teacher_embedding=points)
    assert loss.item() < 1e-3


@every_type
@every_case
def test_sp_is_a_sum_where_there_are_several_maps(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"sp-{case}.npz")
    leaves = read.leaves(dtype)
    signals = as_signals(leaves)
    loss = SPLoss()
    losses = [
        loss(student_feature=student, teacher_feature=teacher)
        for student, teacher in zip(*signals.values(), strict=True)
    ]
    assert_reproduced(torch.stack(losses).sum(), read, leaves, dtype)


@every_type
@every_case
def test_cc_without_embeddings(case: int, dtype: torch.dtype) -> None:
    """The reference's values are of the embeddings: here both layers do nothing."""
    read = reference.read(FOLDER / f"cc-{case}.npz")
    leaves = read.leaves(dtype)
    loss = CorrelationCongruenceLoss(dim=leaves["student_embedding"].shape[1])
    loss.build(reference.shapes(leaves))
    for layer in (loss.student_embed, loss.teacher_embed):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert_reproduced(loss.to(dtype)(**leaves), read, leaves, dtype)


@pytest.mark.parametrize("kind", [SPLoss, PKTLoss, CorrelationCongruenceLoss])
def test_relations_of_a_batch_of_one_are_finite(kind: type) -> None:
    loss = kind()
    shape = (1, 4, 2, 2) if kind is SPLoss else (1, 4)
    student = torch.randn(shape, requires_grad=True)
    loss.build(reference.shapes(dict(student_embedding=student, teacher_embedding=student)))
    value = loss(student, torch.randn(shape))
    value.backward()
    assert value.isfinite()
    assert student.grad.isfinite().all()


def test_itrd_of_a_feature_that_is_constant_in_the_batch() -> None:
    student = torch.randn(5, 3)
    student[:, 1] = 2.0
    student.requires_grad_()
    teacher = torch.randn(5, 3)
    teacher[:, 0] = 0.0
    loss = ITRDLoss()
    loss.build(reference.shapes(dict(student_embedding=student, teacher_embedding=teacher)))
    nn.init.eye_(loss.embed.weight)
    value = torch.stack([*loss(student, teacher).values()]).sum()
    value.backward()
    assert value.isfinite()
    assert student.grad.isfinite().all()


@every_case
def test_rrd_writes_the_batch_into_its_queue(case: int) -> None:
    read = reference.read(FOLDER / f"rrd-{case}.npz")
    signals = as_signals(read.leaves(torch.float64))
    loss = RRDLoss(**read.meta["args"])
    reference.build(loss, read, signals, PARTS["rrd"])
    loss(**signals)
    reference.assert_close(
        loss.queue.rows, read.arrays["out.queue"], TOLERANCE[torch.float64], "queue"
    )
    assert loss.queue.pointer == int(read.arrays["out.pointer"])
    before = loss.queue.rows.clone()
    loss.eval()(**signals)
    assert torch.equal(loss.queue.rows, before), "evaluation leaves the queue as it is"


def test_rrd_goes_round_its_queue_and_refuses_one_that_is_too_short() -> None:
    student, teacher = torch.randn(3, 5), torch.randn(3, 6)
    loss = RRDLoss(dim=4, size=5)
    loss.build(reference.shapes(dict(student_embedding=student, teacher_embedding=teacher)))
    first = loss.queue.rows.clone()
    loss(student, teacher)
    loss(student, teacher + 1)
    written = loss.teacher_embed(teacher + 1)
    assert loss.queue.pointer == 1
    torch.testing.assert_close(loss.queue.rows[[3, 4, 0]], written)
    assert not torch.equal(loss.queue.rows[1:3], first[1:3])
    with pytest.raises(UserError, match="queue of 5 embeddings is too short for a global batch"):
        loss(torch.randn(6, 5), torch.randn(6, 6))
