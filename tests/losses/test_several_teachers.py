"""Weights of several teachers, and the teachers that a step drops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cls_kd.errors import UserError
from cls_kd.functional import shortest_combination, softened_kl
from cls_kd.losses import (
    AEKDLoss,
    ConfidenceTeachersFeatureLoss,
    ConfidenceTeachersLoss,
    DGKDLoss,
    EntropyTeachersLoss,
)
from tests.distillers import tiny

from . import reference
from .fabricate import SIZES, fabricate


@pytest.mark.parametrize("case", [1, 2])
def test_aekd_weights_are_the_references(case: int) -> None:
    read = reference.read(reference.FOLDER / f"aekd-{case}.npz")
    leaves = read.leaves(torch.float64)
    loss = AEKDLoss(**read.meta["args"])
    weights = loss._weights(leaves["student_logits"].detach(), leaves["teacher_logits"])
    np.testing.assert_allclose(weights.numpy(), read.arrays["out.weights"], atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(4))
def test_shortest_combination_is_a_minimum(count: int, seed: int) -> None:
    """No move of weight from one vector to another, within the bounds, makes it shorter."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, 5, generator=generator).double() + seed / 2
    largest = 1.0 if count == 1 else 1.3 / count
    weights = shortest_combination(vectors, largest)
    assert weights.sum().item() == pytest.approx(1, abs=1e-9)
    assert ((weights >= 0) & (weights <= largest)).all()
    slopes = vectors @ (weights @ vectors)
    for source, target in itertools.permutations(range(count), 2):
        if weights[source] > 1e-9 and weights[target] < largest - 1e-9:
            assert slopes[target] - slopes[source] > -1e-8


def test_vectors_that_are_alike_share_their_weight() -> None:
    vector = torch.tensor([1.0, 2.0])
    weights = shortest_combination(torch.stack([vector, vector]))
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.5]), atol=1e-3, rtol=0)
    zeros = shortest_combination(torch.zeros(3, 2), largest=0.6)
    assert zeros.isfinite().all()


@pytest.mark.parametrize("kind", [EntropyTeachersLoss, ConfidenceTeachersLoss])
def test_one_teacher_is_refused(kind: type) -> None:
    with pytest.raises(UserError, match="against each other, and there is 1: give a list"):
        kind().build(reference.shapes({"all_teacher_logits": _stack(1)}))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (AEKDLoss(), "at most 0.6 each, cannot sum to 1: with 1 teachers tolerance must be 1 or"),
        (DGKDLoss(), "drops 1 of the teachers in each step, and there are 1: give a list"),
    ],
)
def test_too_few_teachers_are_refused(loss: torch.nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        loss.build(reference.shapes({"all_teacher_logits": _stack(1)}))


def _stack(teachers: int) -> torch.Tensor:
    # The shape is measured without the axis of the samples, which is the first one here.
    return torch.zeros(2, teachers, 5)


def test_dgkd_drops_another_teacher_in_each_step() -> None:
    torch.manual_seed(0)
    student, teachers = torch.randn(4, 5), torch.randn(3, 4, 5)
    each = torch.stack([softened_kl(student, teacher, 5.0) for teacher in teachers])
    loss = DGKDLoss()
    pairs = {each[list(kept)].sum().item() for kept in itertools.combinations(range(3), 2)}
    seen = [loss(student, teachers).item() for _ in range(40)]
    for value in seen:
        assert min(abs(value - expected) for expected in pairs) < 1e-5
    assert len({round(value, 4) for value in seen}) == 3
    assert loss.eval()(student, teachers).item() == pytest.approx(each.sum().item(), rel=1e-6)


def test_ebkd_of_certain_teachers_weighs_them_alike() -> None:
    teachers = 1000 * F.one_hot(torch.tensor([[0, 1], [1, 1]]), 3).float()
    student = torch.randn(2, 3)
    each = torch.stack([softened_kl(student, teacher, 4.0) for teacher in teachers])
    expected = each.mean() / 2  # weights of 1/2 that are divided by P once more
    torch.testing.assert_close(EntropyTeachersLoss()(student, teachers), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", [1, 2])
def test_ca_mkd_of_connected_maps(case: int, dtype: torch.dtype) -> None:
    read = reference.read(reference.FOLDER / f"ca_mkd_feature-{case}.npz")
    leaves = read.leaves(dtype)
    signals = reference.as_signals(leaves)
    value = ConfidenceTeachersFeatureLoss.compare(
        signals["student_maps"],
        signals["teacher_maps"],
        signals["teacher_mapped_logits"],
        signals["labels"],
    )
    value.backward()
    tolerance = reference.TOLERANCE[dtype]
    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=tolerance)
    for name, expected in read.gradients.items():
        reference.assert_close(leaves[name].grad, expected, tolerance, name)


def test_ca_mkd_connects_the_student_to_each_teacher() -> None:
    loss = ConfidenceTeachersFeatureLoss()
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    feature, teachers = signals["student_feature"], signals["all_teacher_features"]
    larger = F.interpolate(feature, (8, 8), mode="bilinear")
    inputs = (larger, larger, feature)
    maps = [connect(item) for connect, item in zip(loss.connectors, inputs, strict=True)]
    pairs = zip(signals["all_teacher_classify"], maps, strict=True)
    logits = [classify(item) for classify, item in pairs]
    expected = loss.compare(maps, teachers, torch.stack(logits), signals["labels"])
    torch.testing.assert_close(loss(**signals), expected)


def test_every_teacher_gives_its_map_and_its_classifier() -> None:
    teachers = [tiny.teacher(name="a"), dict(network=tiny.digits_cnn((4, 4, 6)), weights="random")]
    losses = dict(ca_mkd=dict(type=ConfidenceTeachersFeatureLoss))
    model = tiny.distiller(losses, teacher=teachers)
    widths = [connect[0].out_channels for connect in model.losses["ca_mkd"].connectors]
    assert widths == [12, 6]
    logged = tiny.step(model, tiny.data())
    assert logged["ca_mkd.loss"].isfinite()
    assert all(parameter.grad is not None for parameter in model.losses.parameters())
