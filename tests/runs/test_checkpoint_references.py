"""References to a run's checkpoint of an epoch, ``'run:NAME@EPOCH'``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs import plan
from cls_kd.runs.checkpoints import kept_epochs

ALL = dict(interval=1, max_keep_ckpts=-1)


def config(reference: str, **checkpoint: Any) -> Config:
    return Config(
        dict(
            randomness=dict(seed=0),
            train_cfg=dict(max_epochs=10),
            runs=[
                dict(name="teacher", default_hooks=dict(checkpoint=checkpoint)),
                dict(name="student", model=dict(teacher=dict(weights=reference))),
            ],
        )
    )


def test_it_resolves_to_the_checkpoint_of_that_epoch(tmp_path: Path) -> None:
    teacher, student = plan(config("run:teacher@4", **ALL), tmp_path)
    assert student.depends_on == {"run:teacher@4": teacher}
    with pytest.raises(UserError, match=r"teacher \(seed 0\) has no checkpoint of epoch 4"):
        student.resolved()
    teacher.work_dir.mkdir()
    (teacher.work_dir / "epoch_4.pth").touch()
    assert student.resolved().model.teacher.weights == str(teacher.work_dir / "epoch_4.pth")


@pytest.mark.parametrize(
    ("checkpoint", "epochs"),
    [
        ({}, [9, 10]),
        ({"interval": 3}, [9, 10]),
        ({"interval": 3, "max_keep_ckpts": -1}, [3, 6, 9, 10]),
        ({"interval": -1}, [10]),
        ({"interval": 5, "max_keep_ckpts": 3}, [5, 10]),
        ({"by_epoch": False}, []),
    ],
)
def test_epochs_that_a_run_keeps(checkpoint: dict[str, Any], epochs: list[int]) -> None:
    cfg = dict(train_cfg=dict(max_epochs=10), default_hooks=dict(checkpoint=checkpoint))
    assert kept_epochs(cfg) == epochs


@pytest.mark.parametrize(
    ("reference", "checkpoint", "message"),
    [
        ("run:teacher@4", {}, r"no checkpoint of epoch 4, but those of the epochs 9, 10\. To keep"),
        ("run:teacher@11", ALL, r"epoch 11, but those of the epochs \.\.\., 5, 6, 7, 8, 9, 10\."),
        ("run:teacher@4", {"by_epoch": False}, r"but those of the epochs none\."),
        ("run:teacher@", ALL, r"'run:teacher@' names no epoch: write 'run:teacher@5'"),
        ("run:teacher@last", ALL, "names no epoch"),
        ("run:teacher@0", ALL, "names no epoch"),
        ("run:techer@4", ALL, r"'run:techer', which is no earlier run.*teacher"),
    ],
)
def test_what_is_not_kept_is_refused(
    reference: str, checkpoint: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        plan(config(reference, **checkpoint), tmp_path)


def test_checkpoints_of_two_epochs_are_two_digests(tmp_path: Path) -> None:
    digests = {plan(config(f"run:teacher@{n}", **ALL), tmp_path)[1].digest() for n in (4, 5)}
    assert len(digests) == 2
