"""Runs that can be trained together, and the reasons why others cannot."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.runs.cohorts import describe, group
from cls_kd.runs.run import Run

BASE = dict(
    randomness=dict(seed=0),
    train_dataloader=dict(batch_size=64, dataset=dict(type="Digits")),
    train_cfg=dict(by_epoch=True, max_epochs=4, val_interval=2),
    optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)),
    model=dict(
        student=dict(type="Small"),
        losses=dict(ce=dict(type="TaskLoss")),
        teacher=dict(network="large", weights="large.pth"),
    ),
)


def run(name: str, *needs: Run, **changes: Any) -> Run:
    cfg = Config(copy.deepcopy(BASE))
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    depends_on = {f"run:{needed.name}": needed for needed in needs}
    return Run(name, cfg.randomness.seed, cfg, Path("nowhere", name), depends_on)


def names(runs: list[Run], **options: Any) -> list[list[str]]:
    return [[run.name for run in members] for members in group(runs, **options).groups]


def test_methods_students_and_controls_of_one_pair_are_trained_together() -> None:
    runs = [
        run("kd"),
        run("at", model__losses=dict(at=dict(type="ATLoss"))),
        run("wide", model__student=dict(type="Large"), optim_wrapper__optimizer__lr=0.2),
        run("control", model__teacher=None, train_cfg__val_interval=1),
        run("averaged", custom_hooks=[dict(type="EMAHook")]),
    ]
    grouping = group(runs)
    assert [len(members) for members in grouping.groups] == [5]
    assert grouping.reasons == {}
    assert describe(grouping) == ["kd, at, wide, control, averaged (seed 0): together."]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("seed", dict(randomness__seed=1)),
        ("seed", dict(randomness__deterministic=True)),
        ("training data", dict(train_dataloader__batch_size=32)),
        ("training data", dict(train_dataloader__dataset__labelled=100)),
        ("preprocessing", dict(data_preprocessor=dict(mean=[1.0]))),
        ("preprocessing", dict(model__data_preprocessor=dict(mean=[1.0]))),
        ("length of training", dict(train_cfg__max_epochs=5)),
        ("length of training", dict(train_cfg=dict(by_epoch=False, max_iters=4))),
        ("precision", dict(optim_wrapper__type="AmpOptimWrapper")),
        ("precision", dict(optim_wrapper__dtype="bfloat16")),
        ("environment", dict(env_cfg=dict(cudnn_benchmark=True))),
        ("environment", dict(cpu_threads=2)),
        ("compilation", dict(compile=True)),
        ("hooks", dict(custom_hooks=[dict(type="SwitchRecipeHook")])),
        ("hooks", dict(default_hooks=dict(own=dict(type="ChangesBatches")))),
        ("teacher", dict(model__teacher__weights="other.pth")),
        ("teacher", dict(model__teacher__data_preprocessor=dict(mean=[1.0]))),
    ],
)
def test_a_part_that_differs_is_named(part: str, change: dict[str, Any]) -> None:
    runs = [run("kd"), run("at"), run("other", **change)]
    grouping = group(runs)
    assert [[run.name for run in members] for members in grouping.groups] == [
        ["kd", "at"],
        ["other"],
    ]
    assert grouping.reasons[runs[2].work_dir] == f"it differs from kd (seed 0) in its {part}"


def test_a_teacher_in_training_mode_is_not_shared() -> None:
    grouping = group([run(name, model__teacher__train_mode=True) for name in ("kd", "at")])
    assert len(grouping.groups) == 2
    assert "training mode" in describe(grouping)[0]


def test_what_a_run_builds_on_comes_first() -> None:
    teacher = run("teacher", train_cfg__max_epochs=9, model__teacher=None)
    control = run("control", model__teacher=None)
    kd, at = (run(name, teacher, model__teacher__weights="run:teacher") for name in ("kd", "at"))
    other = run("other", kd, model__teacher__weights="run:kd")
    runs = [control, teacher, kd, other, at]
    assert names(runs) == [["teacher"], ["control", "kd", "at"], ["other"]]
    # A run that builds on another one of its group.
    born_again = run("born_again", kd, model__student_weights="run:kd")
    assert names([kd, born_again]) == [["kd"], ["born_again"]]


def test_groups_are_of_equal_size() -> None:
    runs = [run(str(number)) for number in range(10)]
    assert list(map(len, names(runs, max_members=4))) == [3, 3, 4]
    assert list(map(len, names(runs, max_members=1))) == [1] * 10


def test_runs_resume_with_those_of_the_same_epoch(tmp_path: Path) -> None:
    runs = [run(name) for name in ("kd", "at", "crd")]
    for epoch, one in zip((3, 2, 3), runs, strict=True):
        one.work_dir = tmp_path / one.name
        one.work_dir.mkdir()
        (one.work_dir / "last_checkpoint").write_text(f"/elsewhere/epoch_{epoch}.pth")
    assert names(runs) == [["kd", "at", "crd"]]
    grouping = group(runs, resume=True)
    assert [[run.name for run in members] for members in grouping.groups] == [["kd", "crd"], ["at"]]
    reason = grouping.reasons[runs[1].work_dir]
    assert reason == "it differs from kd (seed 0) in its last checkpoint"


def test_seeds_share_a_line() -> None:
    runs = [
        run(name, randomness__seed=seed, **changes)
        for name, changes in {"kd": {}, "at": {}, "dlb": dict(train_dataloader__x=1)}.items()
        for seed in (0, 1, 2)
    ]
    for one in runs:
        one.work_dir = Path(one.name, str(one.seed))
    assert describe(group(runs)) == [
        "kd, at (seeds 0 to 2): together.",
        "dlb (seed 0): alone, since it differs from kd (seed 0) in its training data.",
        "dlb (seed 1): alone, since it differs from kd (seed 1) in its training data.",
        "dlb (seed 2): alone, since it differs from kd (seed 2) in its training data.",
    ]
