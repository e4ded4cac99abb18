"""A finished run from its folder alone, with the runs that it builds on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cls_kd.errors import UserError
from cls_kd.runs.run_folder import run_in_folder


def leave(folder: Path, name: str, seed: int, weights: str = "none") -> Path:
    """What training leaves of a run in a list."""
    folder.mkdir(parents=True)
    config = f"randomness = dict(seed={seed})\nmodel = dict(teacher=dict(weights={weights!r}))\n"
    (folder / "config.py").write_text(config)
    (folder / "result.json").write_text(json.dumps({"run": name, "seed": seed}))
    (folder / "last_checkpoint").write_text("/elsewhere/epoch_2.pth")
    return folder


def test_a_reference_is_the_run_beside_it(tmp_path: Path) -> None:
    leave(tmp_path / "teacher", "teacher", 0)
    run = run_in_folder(leave(tmp_path / "kd" / "seed_3", "kd", 3, "run:teacher"))
    assert run.title == "kd (seed 3)"
    weights = run.resolved().model.teacher.weights
    assert weights == str(tmp_path / "teacher" / "epoch_2.pth")


def test_of_several_seeds_the_same_is_taken(tmp_path: Path) -> None:
    for seed in (1, 2):
        leave(tmp_path / "teacher" / f"seed_{seed}", "teacher", seed)
    run = run_in_folder(leave(tmp_path / "kd" / "seed_2", "kd", 2, "run:teacher"))
    assert run.depends_on["run:teacher"].work_dir == tmp_path / "teacher" / "seed_2"


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = leave(tmp_path / "kd", "kd", 0, "run:teacher")
    with pytest.raises(UserError, match=r"builds on the run 'teacher', which is not in .*/teacher"):
        run_in_folder(folder)


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    leave(tmp_path / "list" / "kd", "kd", 0)
    with pytest.raises(UserError, match=r"no finished run of its own, but 1 below it: .*/list/kd"):
        run_in_folder(tmp_path / "list")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"it has no result\.json and config\.py"):
        run_in_folder(tmp_path / "empty")
    with pytest.raises(UserError, match="There is no folder"):
        run_in_folder(tmp_path / "nowhere")
