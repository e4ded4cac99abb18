"""Losses of patch tokens against the reference's values, whose tokens are all of patches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import (
    ClassTokenTaskLoss,
    CumulativeSpatialLoss,
    DistillationTokenLoss,
    KDLoss,
    ManifoldLoss,
    VkDLoss,
)
from tests.distillers import tiny

from . import reference
from .fabricate import SIZES, Sizes, fabricate
from .reference import TOLERANCE, Reference, as_tensor, assert_close

every_dtype = pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32], ids=["float64", "float32"]
)


@pytest.fixture
def patches_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("vkd", "manifold"):
        monkeypatch.setattr(f"cls_kd.losses.vit.{module}.patch_tokens", lambda tokens: tokens)


def check(read: Reference, value: Tensor, leaf: Tensor, signal: str, dtype: torch.dtype) -> None:
    value.backward()
    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    assert_close(leaf.grad, read.gradients[signal], TOLERANCE[dtype], signal)


@pytest.mark.usefixtures("patches_alone")
@every_dtype
@pytest.mark.parametrize("name", ["vkd-1", "vkd-2"])
def test_vkd(name: str, dtype: torch.dtype) -> None:
    read = reference.read(reference.FOLDER / f"{name}.npz")
    signals = read.leaves(dtype)
    loss = VkDLoss()
    loss.build(reference.shapes(signals))
    loss.to(dtype)
    loss.projection.weight = as_tensor(read.arrays["param.projection"], dtype)

    with torch.nn.utils.parametrize.cached():
        weight = loss.projection.weight
        weight.retain_grad()
        tokens = signals["student_normed_tokens"]
        check(read, loss(**signals), tokens, "student_normed_tokens", dtype)
    expected = read.parameter_gradients["projection"]
    assert_close(weight.grad, expected, TOLERANCE[dtype], "projection")


def test_vkd_s_projection_stays_orthogonal() -> None:
    loss = VkDLoss()
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    before = loss.projection.weight.clone()
    for _ in range(3):
        optimizer.zero_grad()
        loss(**signals).backward()
        optimizer.step()
    after = loss.projection.weight
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(after.t() @ after, torch.eye(after.shape[1]), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("patches_alone")
@every_dtype
@pytest.mark.parametrize("name", ["manifold-1", "manifold-2"])
def test_manifold(name: str, dtype: torch.dtype) -> None:
    read = reference.read(reference.FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)
    loss = ManifoldLoss(blocks=None, **read.meta["args"])

    terms = loss((leaves["student_tokens"],), (leaves["teacher_tokens"],))

    value = torch.stack(list(terms.values())).sum()
    check(read, value, leaves["student_tokens"], "student_tokens", dtype)
    for part in ("sample", "patch", "rand"):
        expected = read.meta["args"][f"w_{part}"] * float(read.arrays[f"out.{part}"])
        assert terms[f"loss_{part}"].item() == pytest.approx(expected, rel=TOLERANCE[dtype])


def test_manifold_is_the_mean_over_pairs_of_blocks() -> None:
    signals = fabricate(("student_blocks", "teacher_blocks"))
    options = dict(w_sample=1.0, w_patch=2.0, w_rand=0.0)
    pairs = [(0, -1), (1, 0)]
    both, *each = (
        sum(ManifoldLoss(blocks=blocks, **options)(**signals).values())
        for blocks in (pairs, pairs[:1], pairs[1:])
    )
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


def test_manifold_draws_as_many_patches_as_asked() -> None:
    signals = fabricate(("student_blocks", "teacher_blocks"))
    student, teacher = (
        torch.nn.functional.normalize(signals[f"{network}_blocks"][0][:, 1:].flatten(0, 1), dim=1)
        for network in ("student", "teacher")
    )
    torch.manual_seed(3)
    terms = ManifoldLoss(blocks=(0,), w_rand=1.0, k=5)(**signals)
    torch.manual_seed(3)
    drawn = torch.rand(16).argsort()[:5]
    matrices = [points[drawn] @ points[drawn].t() for points in (student, teacher)]
    expected = (matrices[0] - matrices[1]).square().mean()
    torch.testing.assert_close(terms["loss_rand"], expected)


@pytest.mark.parametrize("loss", [VkDLoss, CumulativeSpatialLoss])
def test_tokens_that_are_no_square_are_refused(loss: type) -> None:
    sizes = Sizes(tokens={"student": (2, 35, 6), "teacher": (2, 17, 8)})
    with pytest.raises(UserError, match=r"needs a square grid of patches; the student has 35"):
        loss().build(sizes.facts())


def test_manifold_names_the_block_that_is_missing() -> None:
    with pytest.raises(UserError, match=r"block -4 was asked for, but the student has 2 blocks"):
        ManifoldLoss(blocks=(-4,)).build(SIZES.facts())


TOKENS = dict(
    ce=dict(type="ClassTokenTaskLoss", weight=0.5),
    token=dict(type="DistillationTokenLoss", loss=dict(type="KDLoss", temperature=1.0)),
)


def test_each_token_has_a_loss_of_its_own() -> None:
    teacher = dict(network=tiny.resnet_cifar(), weights="random")
    model = tiny.distiller(TOKENS, student=tiny.distilled_vit(), teacher=teacher, channels=3)
    model.eval()
    images, labels = tiny.images(4, channels=3), torch.arange(4)
    network = model.student
    class_token, distillation_token = network.backbone(images)[-1]
    layers = network.head.layers
    logits = layers.head(class_token), layers.head_dist(distillation_token)
    assert not torch.allclose(*logits)

    terms = model.loss(images, labels)

    expected = 0.5 * torch.nn.functional.cross_entropy(logits[0], labels)
    torch.testing.assert_close(terms["ce.loss"], expected)
    teacher_logits = model.teachers[0].network(images)
    expected = KDLoss(temperature=1.0)(logits[1], teacher_logits)
    torch.testing.assert_close(terms["token.loss"], expected)
    torch.testing.assert_close(network(images), (logits[0] + logits[1]) / 2)
    assert ClassTokenTaskLoss.group == "task"


def test_a_student_without_a_distillation_token_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"has no distillation token: its backbone has to be a Dist"
    ):
        tiny.distiller(
            TOKENS,
            student=tiny.vit(),
            teacher=dict(network=tiny.vit(), weights="random"),
            channels=3,
        )


def test_a_loss_without_logits_has_nothing_for_the_token() -> None:
    with pytest.raises(UserError, match=r"VkDLoss does not ask for 'student_logits'"):
        DistillationTokenLoss(loss=VkDLoss())
