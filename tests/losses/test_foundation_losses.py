"""Losses of students of foundation models, against slow versions by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional.dropping import kept_teachers
from cls_kd.functional.hadamard import flat_rotation, hadamard
from cls_kd.losses import (
    CRDLoss,
    EmbeddingRegressionLoss,
    InstanceCRDLoss,
    MultiLabelKDLoss,
    PatchRegressionLoss,
    QueueSimilarityLoss,
    UNICLoss,
    UNICPatchLoss,
)
from cls_kd.modules.standardization import TargetStandardization
from cls_kd.signals import SignalShapes


def shapes(**known: tuple) -> SignalShapes:
    return SignalShapes(known, num_classes=10, num_samples=40)


def by_hand(distance: str, student: Tensor, teacher: Tensor) -> float:
    """Of two vectors."""
    pairs = list(zip(student.tolist(), teacher.tolist(), strict=True))
    gaps = [abs(a - b) for a, b in pairs]
    values = {
        "mse": sum(gap**2 for gap in gaps) / len(gaps),
        "smooth_l1": sum(gap**2 / 2 if gap < 1 else gap - 0.5 for gap in gaps) / len(gaps),
        "cosine": 1
        - sum(a * b for a, b in pairs)
        / math.hypot(*student.tolist())
        / math.hypot(*teacher.tolist()),
    }
    values["cosine_smooth_l1"] = (values["cosine"] + values["smooth_l1"]) / 2
    return values[distance]


@pytest.mark.parametrize("distance", ["cosine", "smooth_l1", "mse", "cosine_smooth_l1"])
def test_embedding_regression(distance: str) -> None:
    torch.manual_seed(0)
    loss = EmbeddingRegressionLoss(distance=distance)
    loss.build(shapes(student_embedding=(3,), teacher_embedding=(5,)))
    student, teacher = torch.randn(4, 3), 2 * torch.randn(4, 5)
    head = loss.projection
    projected = [head.weight @ row + head.bias for row in student]
    rows = zip(projected, teacher, strict=True)
    expected = sum(by_hand(distance, ours, theirs) for ours, theirs in rows) / 4
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_patch_regression_on_the_grid_of_the_teacher() -> None:
    """A student's map of 2x2 at the 4x4 positions of the teacher, half a pixel from the edges."""
    loss = PatchRegressionLoss(distance="mse")
    loss.build(shapes(student_feature=(1, 2, 2), teacher_feature=(1, 4, 4)))
    with torch.no_grad():
        loss.projection.weight.fill_(1.0)
        loss.projection.bias.zero_()
    student = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    fractions = [0.0, 0.25, 0.75, 1.0]
    expected = [(8 * y + 4 * x) ** 2 for y in fractions for x in fractions]
    value = loss(student, torch.zeros(1, 1, 4, 4))
    assert value.item() == pytest.approx(sum(expected) / 16)


@pytest.mark.parametrize(
    ("student", "words"),
    [((3, 2, 3), "of another ratio of height and width"), ((3, 1, 1), "a single position")],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_grid_that_does_not_fit(student: tuple, words: str, several: bool) -> None:
    loss = UNICPatchLoss() if several else PatchRegressionLoss()
    teacher = {"teacher_feature": (5, 4, 4), "all_teacher_features": ((5, 4, 4), (2, 4, 4))}
    with pytest.raises(UserError, match=words):
        loss.build(shapes(student_feature=student, **teacher))


def test_queue_similarity() -> None:
    torch.manual_seed(0)
    loss = QueueSimilarityLoss(size=6, student_temperature=0.2, teacher_temperature=0.1)
    loss.build(shapes(student_embedding=(3,), teacher_embedding=(5,)))
    first, student, teacher = torch.randn(4, 5), torch.randn(4, 3), torch.randn(4, 5)
    loss(torch.randn(4, 3), first)
    value = loss(student, teacher)
    # The queue holds two rows of the first batch, and this one.
    rows = F.normalize(torch.cat([first[2:], teacher]), dim=1)
    linear = loss.student_embed.linear
    total = 0.0
    for ours, theirs in zip(linear(student), teacher, strict=True):
        ours, theirs = ours / ours.norm(), theirs / theirs.norm()
        logits = torch.stack([row @ ours for row in rows]) / 0.2
        weights = (torch.stack([row @ theirs for row in rows]) / 0.1).exp()
        probabilities = weights / weights.sum()
        log = logits - logits.exp().sum().log()
        # As all losses of a softmax at two temperatures: without a factor.
        total -= (probabilities * log).sum().item()
    assert value.item() == pytest.approx(total / 4, rel=1e-5)


def test_instance_crd_is_crd_with_a_class_for_each_image() -> None:
    torch.manual_seed(0)
    parts = [kind(dim=4, negatives=8, draws="distinct") for kind in (CRDLoss, InstanceCRDLoss)]
    for loss in parts:
        torch.manual_seed(1)
        loss.build(shapes(student_embedding=(3,), teacher_embedding=(5,)))
    for step in range(3):
        signals = torch.randn(4, 3), torch.randn(4, 5)
        index = torch.arange(4) + 4 * step
        expected = parts[0](*signals, labels=index, index=index)
        assert torch.equal(parts[1](*signals, index=index), expected)
    assert "labels" not in parts[1].signals


@pytest.mark.parametrize("order", [2, 12, 20, 28, 36, 96, 384])
def test_hadamard_matrices(order: int) -> None:
    matrix = hadamard(order)
    assert matrix.abs().unique().tolist() == [1.0]
    assert torch.equal(matrix @ matrix.t(), order * torch.eye(order))


@pytest.mark.parametrize(("dim", "even"), [(8, 1e-3), (6, 0.9)])
def test_phi_s_gives_every_coordinate_the_same_variance(dim: int, even: float) -> None:
    """By one scale and a rotation: distances keep their proportions."""
    torch.manual_seed(0)
    values = torch.randn(500, dim) * torch.logspace(-2, 1, dim) + 3
    target = TargetStandardization(dim, "phi_s", steps=2).train()
    target(values[:300])
    assert target.ready == 0
    target(values[300:])
    assert target.ready == 1
    other = target(1000 + values)
    standardized = target(values)
    assert torch.equal(target(1000 + values), other), "the statistics are fixed"
    assert standardized.mean(0).abs().max() < 1e-3
    variances = standardized.var(0, correction=0)
    assert variances.mean().item() == pytest.approx(1.0, rel=1e-3)
    assert (variances - 1).abs().max() < even
    before, after = (torch.pdist(each[:20]) for each in (values, standardized))
    assert torch.allclose(after / before, (after / before)[0].expand(190), rtol=1e-3)
    assert torch.allclose(flat_rotation(dim) @ flat_rotation(dim).t(), torch.eye(dim), atol=1e-6)


def test_standardization_goes_on_where_it_stopped() -> None:
    torch.manual_seed(0)
    batches = torch.randn(4, 10, 6)
    whole, first, second = (TargetStandardization(6, "phi_s", steps=3) for _ in range(3))
    expected = [whole(batch) for batch in batches]
    actual = [first(batches[0])]
    second.load_state_dict(first.state_dict())
    actual += [second(batch) for batch in batches[1:]]
    assert all(torch.equal(*pair) for pair in zip(actual, expected, strict=True))


def test_unic_weighs_samples_by_what_is_kept() -> None:
    torch.manual_seed(0)
    loss = UNICLoss(
        distance="mse", head="linear", standardization="variance", dropping=1.0, steps=1
    )
    loss.build(shapes(student_embedding=(3,), all_teacher_embeddings=((4,), (5,))))
    student, teachers = torch.randn(6, 3), (torch.randn(6, 4), 9 * torch.randn(6, 5))
    values = loss(student, teachers)
    largest = []
    for sample in range(6):
        of_each = []
        for head, teacher in zip(loss.projections, teachers, strict=True):
            target = (teacher - teacher.mean(0)) / teacher.std(0, correction=0)
            of_each.append(by_hand("mse", head(student[sample]), target[sample]))
        largest.append(max(of_each))
    assert values["loss"].item() == pytest.approx(sum(largest) / 6, rel=1e-4)
    assert values["kept_0"] + values["kept_1"] == pytest.approx(1.0)


def test_unic_waits_for_its_statistics() -> None:
    loss = UNICLoss(steps=2)
    loss.build(shapes(student_embedding=(3,), all_teacher_embeddings=((4,), (5,))))
    signals = torch.randn(6, 3, requires_grad=True), (torch.randn(6, 4), torch.randn(6, 5))
    assert loss(*signals)["loss"].item() == 0
    assert loss(*signals)["loss"].item() > 0


def test_patches_of_several_teachers_at_their_own_grids() -> None:
    torch.manual_seed(0)
    loss = UNICPatchLoss(distance="mse", head="linear", dropping=0.0, steps=1)
    grids = ((4, 4, 4), (5, 2, 2))
    loss.build(shapes(student_feature=(3, 3, 3), all_teacher_features=grids))
    student = torch.randn(6, 3, 3, 3)
    teachers = tuple(torch.randn(6, *grid) for grid in grids)
    value = loss(student, teachers)["loss"]
    expected = 0.0
    for head, target, teacher in zip(loss.projections, loss.targets, teachers, strict=True):
        size = teacher.shape[-2:]
        resized = F.interpolate(student, size, mode="bilinear", antialias=True)
        for ours, theirs in zip(
            resized.permute(0, 2, 3, 1), teacher.permute(0, 2, 3, 1), strict=True
        ):
            cells = zip(ours.flatten(0, 1), theirs.flatten(0, 1), strict=True)
            each = [by_hand("mse", head(a), target.factor @ (b - target.mean)) for a, b in cells]
            expected += sum(each) / len(each) / 12
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_dropping_keeps_the_hardest_teacher() -> None:
    torch.manual_seed(0)
    losses = torch.rand(3, 2000)
    kept = kept_teachers(losses, 0.25) > 0
    hardest = losses.argmax(0, keepdim=True)
    assert kept.gather(0, hardest).all()
    others = kept.float().scatter(0, hardest, 0.0).sum() / 4000
    assert others.item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_multi_label_kd_is_a_divergence_for_each_class(temperature: float) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3), 2 * torch.randn(4, 3)
    expected = 0.0
    for ours, theirs in zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True):
        p, q = (1 / (1 + math.exp(-value / temperature)) for value in (theirs, ours))
        expected += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    value = MultiLabelKDLoss(temperature=temperature)(student, teacher)
    assert value.item() == pytest.approx(temperature**2 * expected / 4, rel=1e-5)
