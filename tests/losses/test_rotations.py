"""Losses of rotated images, with what their own parts give; SSKD's choice of rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import softened_kl
from cls_kd.losses import HSAKDLoss, SSKDLoss
from cls_kd.losses.relation.sskd import _mean_of_kept

from . import reference
from .reference import FOLDER, assert_reproduced

every_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
every_case = pytest.mark.parametrize("case", [1, 2])


def by_views(rows: Tensor) -> Tensor:
    """The reference's rows are four views of one sample after the other."""
    return rows.unflatten(0, (-1, 4)).transpose(0, 1)


@every_type
@every_case
def test_sskd(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"sskd-{case}.npz")
    leaves = read.leaves(dtype)
    loss = SSKDLoss(**read.meta["args"])
    loss.student_head = loss.teacher_head = nn.Identity()
    terms = loss(
        by_views(leaves["student_logits"]),
        by_views(leaves["teacher_logits"]),
        by_views(leaves["student_projection"]),
        by_views(leaves["teacher_projection"]),
        leaves["labels"],
    )
    terms.pop("loss_teacher_head")
    assert_reproduced(terms, read, leaves, dtype)


@pytest.mark.parametrize(("fraction", "kept"), [(0.0, [1]), (0.5, [1, 3]), (1.0, [0, 1, 2, 3])])
def test_sskd_keeps_the_best_of_the_wrong_rows(fraction: float, kept: list[int]) -> None:
    teacher = torch.tensor([[0.0, 3, 2, 1], [5, 0, 0, 0], [0, 1, 2, 3], [2, 3, 0, 0]])
    student, targets = torch.randn(4, 4), torch.zeros(4, dtype=torch.int64)
    value = _mean_of_kept(student, teacher, targets, 2.0, fraction)
    torch.testing.assert_close(value, softened_kl(student[kept], teacher[kept], 2.0))


def test_sskd_trains_the_teachers_head_by_its_own_term_alone() -> None:
    loss = SSKDLoss()
    signals = [torch.randn(4, 3, 5) for _ in range(4)]
    loss.build(
        reference.shapes(dict(student_embedding=signals[2][0], teacher_embedding=signals[3][0]))
    )
    terms = loss(*signals, torch.tensor([0, 1, 2]))
    head = list(loss.teacher_head.parameters())
    own = terms.pop("loss_teacher_head")
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(own, head))
    others = torch.stack([*terms.values()]).sum()
    assert not any(
        gradient is not None for gradient in torch.autograd.grad(others, head, allow_unused=True)
    )


@every_type
@every_case
def test_hsakd(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"hsakd-{case}.npz")
    leaves = read.leaves(dtype)
    logits = by_views(leaves["student_logits"])
    loss = HSAKDLoss(**read.meta["args"])

    def auxiliary(network: str) -> nn.Module:
        given = leaves[f"{network}_auxiliary_logits"]
        module = nn.Module()
        module.forward = lambda _: torch.stack([by_views(rows).flatten(0, 1) for rows in given])
        return module

    loss.student_classifiers, loss.teacher_classifiers = auxiliary("student"), auxiliary("teacher")
    labels = torch.zeros(logits.shape[1], dtype=torch.int64)
    terms = loss(logits, by_views(leaves["teacher_logits"]), (), (), labels)
    terms.pop("loss_teacher_classifiers")
    assert_reproduced(terms, read, leaves, dtype)


SHAPES = ((3, 8, 8), (5, 4, 4))


def test_hsakd_of_joint_labels() -> None:
    """A teacher's classifiers that know class and rotation have no loss of their own."""
    labels, views, classes = torch.tensor([2, 0, 1]), 4, 3
    loss = HSAKDLoss(views=views)
    stages = tuple(torch.randn(views, 3, *shape) for shape in SHAPES)
    measured = dict(student_stages=stages, teacher_stages=stages)
    loss.build(
        reference.shapes(
            {name: tuple(stage[0] for stage in value) for name, value in measured.items()}
            | {"student_logits": torch.zeros(1, classes)}
        )
    )
    rows = [[int(label) * views + view for label in labels] for view in range(views)]
    right = nn.Module()
    right.forward = lambda _: (
        50 * torch.eye(views * classes)[torch.tensor(rows).flatten()].expand(2, -1, -1)
    )
    loss.teacher_classifiers = right
    logits = torch.randn(views, 3, classes)
    terms = loss(logits, logits, stages, stages, labels)
    assert terms["loss_teacher_classifiers"].item() == pytest.approx(0, abs=1e-6)
    assert terms["loss_classes"].item() == pytest.approx(0, abs=1e-6)
    assert terms["loss_joint"].item() > 1
    with pytest.raises(UserError, match="built for views=4, and the data give 2 views"):
        loss(logits[:2], logits[:2], stages, stages, labels)
