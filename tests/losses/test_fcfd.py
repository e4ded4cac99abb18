"""FCFD: one stage's term by the reference's values, and the mixed paths by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cls_kd.errors import UserError
from cls_kd.functional import softened_kl
from cls_kd.losses import FCFDLoss
from cls_kd.modules.bridges import StageBridge
from tests.distillers import tiny

from . import reference
from .fabricate import SIZES, fabricate
from .reference import TOLERANCE, assert_close

FILES = [reference.FOLDER / f"{name}.npz" for name in ("fcfd_appearance-1", "fcfd_appearance-2")]
FCFD = dict(ce=dict(type="TaskLoss"), fcfd=dict(type="FCFDLoss", paths=4, appearance_weight=1.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_appearance_of_one_stage(file: Path, dtype: torch.dtype) -> None:
    read = reference.read(file)
    leaves = read.leaves(dtype)
    signals = reference.as_signals(leaves)
    value = FCFDLoss.appearance(
        signals["teacher_feature"], signals["candidates"], read.meta["args"]["final"]
    )
    value.backward()
    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    for name, expected in read.gradients.items():
        assert_close(leaves[name].grad, expected, TOLERANCE[dtype], name)


def test_all_paths_by_hand() -> None:
    """Two chains of both networks' own modules, in training mode."""
    model = tiny.distiller(FCFD, teacher=tiny.teacher())
    model.train()
    images, labels = tiny.images(4), torch.arange(4)
    loss, student, teacher = model.losses["fcfd"], model.student, model.teachers[0].network
    state = {key: value.clone() for key, value in student.state_dict().items()}
    model.time.epoch = 9
    terms = model.loss(images, labels)

    def chain(network: torch.nn.Module, start: int, feature: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for stage in range(start, 3):
            feature = network.backbone.get_submodule(f"stage{stage + 1}")(feature)
            maps.append(feature)
        return maps

    def logits(network: torch.nn.Module, feature: torch.Tensor) -> torch.Tensor:
        return network.head((feature.mean((2, 3)),))

    ours, theirs = chain(student, 0, images), chain(teacher, 0, images)
    bridged = [bridge(feature) for bridge, feature in zip(loss.to_teacher, ours, strict=True)]
    into_teacher = [chain(teacher, stage + 1, bridged[stage]) for stage in (0, 1)]
    into_student = [
        chain(student, stage + 1, loss.to_student[stage](theirs[stage]))[-1] for stage in (0, 1)
    ]
    found = [logits(teacher, maps[-1]) for maps in into_teacher]
    found += [logits(student, feature) for feature in into_student]
    target = logits(teacher, theirs[-1])
    paths = sum(softened_kl(item, target, 4.0) for item in found)
    torch.testing.assert_close(terms["fcfd.loss_paths"], paths)
    candidates = [
        bridged[:1],
        [bridged[1], into_teacher[0][0]],
        [bridged[2], into_teacher[0][1], into_teacher[1][0]],
    ]
    appearance = sum(
        F.mse_loss(feature, stage)
        for stage, maps in zip(theirs, candidates, strict=True)
        for feature in maps
    )
    appearance += sum(
        F.mse_loss(m.relu().mean((2, 3)), theirs[2].mean((2, 3))) for m in candidates[2]
    )
    torch.testing.assert_close(terms["fcfd.loss_appearance"], 0.5 * appearance)
    assert state.keys() == student.state_dict().keys()


def test_mixed_paths_leave_running_statistics_alone() -> None:
    plain = tiny.distiller(dict(ce=dict(type="TaskLoss")))
    mixed = tiny.distiller(FCFD, teacher=tiny.teacher())
    mixed.student.load_state_dict(plain.student.state_dict())
    images, labels = tiny.images(4), torch.arange(4)
    for model in (plain, mixed):
        model.train()
        model.loss(images, labels)
    buffers = dict(plain.student.named_buffers())
    assert any("running" in name for name in buffers)
    for name, value in mixed.student.named_buffers():
        torch.testing.assert_close(value, buffers[name])


def test_a_step_draws_its_paths() -> None:
    loss = FCFDLoss(paths=2)
    loss.build(SIZES.facts())
    drawn = set()
    for seed in range(60):
        torch.manual_seed(seed)
        into_teacher, into_student = loss._draw(2)
        assert len(into_teacher) + len(into_student) == 2
        drawn.add((tuple(sorted(into_teacher)), tuple(sorted(into_student))))
    assert len(drawn) == 6, "all pairs of four paths"
    torch.manual_seed(0)
    result = loss(**fabricate(loss.signals))
    sum(result.values()).backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())


def test_bridges_between_other_sizes_are_refused() -> None:
    assert StageBridge((3, 8, 8), (5, 4, 4))(torch.zeros(2, 3, 8, 8)).shape == (2, 5, 4, 4)
    assert StageBridge((3, 4, 4), (5, 8, 8))(torch.zeros(2, 3, 4, 4)).shape == (2, 5, 8, 8)
    with pytest.raises(UserError, match=r"not from 8x8 to 2x2"):
        StageBridge((3, 8, 8), (5, 2, 2))


def test_a_network_without_stages_cannot_be_continued() -> None:
    taps = dict(stages=("backbone.stage1:input", "backbone.stage2", "backbone.stage3"))
    with pytest.raises(UserError, match=r"student .*cannot be run from a stage on"):
        tiny.distiller(FCFD, teacher=tiny.teacher(), student_taps=taps)
