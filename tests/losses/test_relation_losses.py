"""RKD at the edges: its values are in the reference files."""

from __future__ import annotations

import torch

from cls_kd.losses import RKDLoss


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
