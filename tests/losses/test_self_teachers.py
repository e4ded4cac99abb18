"""Losses by which a student teaches itself; outputs of exits and self-teachers are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses import BYOTLoss, FRSKDLoss, MixSKDLoss, SDDropoutLoss
from cls_kd.modules.exits import Exits
from cls_kd.modules.pyramid import SelfTeacher
from cls_kd.signals import SignalShapes

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


class Always(nn.Module):
    """One output, whatever the input."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, values: Tensor) -> Tensor:
        return self.output


def two_views(rows: Tensor) -> Tensor:
    return rows.unflatten(0, (2, -1))


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
def test_mixskd(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"mixskd-{case}.npz")
    leaves = read.leaves(dtype)
    signals = as_signals(leaves)
    loss = MixSKDLoss(**read.meta["args"])
    loss.exits = Given(signals["peer_logits"][:-1], signals["peer_maps"][:-1])
    # The file names an output of the self-teacher by what was mixed before it: images, or features.
    taught = torch.stack([signals["mixed_feature_logits"], signals["mixed_image_logits"]])
    loss.self_teacher = Always(taught)
    loss.discriminators = nn.ModuleList(Always(torch.zeros(2, 1, 2)) for _ in signals["peer_maps"])
    terms = loss(
        two_views(signals["peer_logits"][-1]),
        (*map(two_views, signals["peer_maps"]),),
        zero,
        float(signals["mix"]),
        signals["permutation"],
    )
    compared = {name: terms[name] for name in ("loss_logits", "loss_features")}
    assert_reproduced(compared, read, leaves, dtype)


def test_mixskd_on_labels_and_discriminators_by_hand() -> None:
    """Mixed labels by a loop over samples; the discriminators' gradient is reversed."""
    torch.manual_seed(0)
    count, classes, mix = 4, 3, 0.3
    shapes = SHAPES[:3]
    stages = tuple(torch.randn(2, count, *shape, requires_grad=True) for shape in shapes)
    logits = torch.randn(2, count, classes)
    labels, permutation = torch.tensor([0, 2, 1, 1]), torch.tensor([2, 0, 3, 1])
    loss = MixSKDLoss()
    loss.build(SignalShapes({"student_stages": shapes}, classes, None))
    exits, maps = loss.exits([stage.flatten(0, 1) for stage in stages])
    clean = [item[:count] for item in exits]
    mixed = [item[count:] for item in exits] + [logits[1]]
    every = [item.unflatten(0, (2, -1)) for item in maps] + [stages[-1]]
    hats = [mix * item[0] + (1 - mix) * item[0][permutation] for item in every]
    for kind in (hats, [item[1] for item in every]):
        mixed.append(loss.self_teacher(torch.cat([item.mean((2, 3)) for item in kind], dim=1)))

    def cross_entropy(predicted: Tensor, sample: int, label: int) -> Tensor:
        return -predicted.log_softmax(1)[sample, label] / count

    expected = sum(cross_entropy(item, n, labels[n]) for item in clean for n in range(count)) + sum(
        mix * cross_entropy(item, n, labels[n])
        + (1 - mix) * cross_entropy(item, n, labels[permutation[n]])
        for item in mixed
        for n in range(count)
    )
    terms = loss(logits, stages, lambda given: F.cross_entropy(given, labels), mix, permutation)
    assert terms["loss_task"].item() == pytest.approx(expected.item(), rel=1e-5)

    pooled = hats[-1].mean((2, 3)), every[-1][1].mean((2, 3))
    verdicts = [loss.discriminators[-1](item).sigmoid() for item in pooled]
    last = -(verdicts[0][:, 0] * (1 - verdicts[0][:, 1])).log().sum()
    last = last - ((1 - verdicts[1][:, 0]) * verdicts[1][:, 1]).log().sum()
    del loss.discriminators[:-1]
    loss.self_teacher = Always(torch.zeros(2, count, classes))
    loss.exits = Given(torch.zeros(0, 2 * count, classes), [])
    alone = loss(logits, stages, zero, mix, permutation)["loss_discriminators"]
    assert alone.item() == pytest.approx(last.item() / (4 * count), rel=1e-5)
    weight = loss.discriminators[-1][0].weight
    ours = torch.autograd.grad(alone, (stages[-1], weight))
    plain = torch.autograd.grad(last / (4 * count), (stages[-1], weight))
    torch.testing.assert_close(ours, (-plain[0], plain[1]))


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


def test_mixskd_needs_two_stages() -> None:
    with pytest.raises(UserError, match="but the last, and there is 1 stage"):
        MixSKDLoss().build(SignalShapes({"student_stages": SHAPES[:1]}, 4, None))


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
