"""Sweeps: the runs of pairs, methods and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cls_kd.errors import UserError
from cls_kd.runs.sweep import Sweep, pair_folders, plan_sweep, read_sweep

DIGITS = "digits/pair"


def planned(tmp_path: Path, **section: Any) -> dict[str, list]:
    return plan_sweep(Sweep.of({"pairs": [DIGITS], "seeds": [0, 1], **section}), tmp_path)


def test_teacher_and_plain_student_come_once(tmp_path: Path) -> None:
    (runs,) = planned(tmp_path, methods=["kd", "nkd"]).values()
    folders = [run.work_dir.relative_to(tmp_path).as_posix() for run in runs]
    assert folders == [
        "pair/teacher",
        *(f"pair/{name}/seed_{seed}" for name in ("student", "kd", "nkd") for seed in (0, 1)),
    ]
    teacher, student = runs[:2]
    assert not student.depends_on
    assert student.cfg.model.teacher is None
    assert set(student.cfg.model.losses) == {"ce"}
    assert all(run.depends_on == {"run:teacher": teacher} for run in runs[3:])
    assert all(next(iter(run.depends_on.values())) is teacher for run in runs[3:])


def test_a_method_that_is_added_later_changes_no_other(tmp_path: Path) -> None:
    before = {run.work_dir: run.digest() for run in planned(tmp_path, methods=["kd"])["pair"]}
    after = {run.work_dir: run.digest() for run in planned(tmp_path, methods=["kd", "at"])["pair"]}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


def test_a_method_with_options_and_another_name(tmp_path: Path) -> None:
    hot = {"method": "kd", "model.losses.kd.temperature": 8.0}
    runs = planned(tmp_path, methods={"kd": {}, "kd_hot": hot})["pair"]
    temperatures = {run.name: run.cfg.model.losses.get("kd", {}).get("temperature") for run in runs}
    assert temperatures["kd_hot"] == 8.0
    assert temperatures["kd"] != 8.0


def test_options_reach_every_run(tmp_path: Path) -> None:
    runs = planned(tmp_path, methods=["kd"], cfg_options={"train_cfg.max_epochs": 3})["pair"]
    assert {run.cfg.train_cfg.max_epochs for run in runs} == {3}


def test_a_published_pair_trains_its_missing_teacher(tmp_path: Path) -> None:
    (runs,) = planned(tmp_path, pairs=["pairs/cifar100/vgg13_vgg8"], methods=["kd"]).values()
    assert [run.name for run in runs] == ["student", "student", "teacher", "kd", "kd"]
    assert runs[3].cfg.model.teacher.weights == "run:teacher"
    assert runs[3].depends_on["run:teacher"] is runs[2]
    assert runs[2].cfg.model.student == runs[3].cfg.model.teacher.network


def test_all_methods(tmp_path: Path) -> None:
    names = {run.name for run in planned(tmp_path, methods=["all"], seeds=[0])["pair"]}
    assert names >= {"student", "teacher", "kd", "nkd", "crd", "dot"}


def test_folders_of_pairs() -> None:
    assert pair_folders(["digits/pair", "a/b_c.py"]) == {"digits/pair": "pair", "a/b_c.py": "b_c"}
    assert pair_folders(["a/x", "b/x"]) == {"a/x": "a_x", "b/x": "b_x"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (dict(methods=["kd"], seed=[0]), "there is no 'seed'"),
        (dict(methods="kd"), "methods must be a list"),
        (dict(methods=[]), "methods must be a list"),
        (dict(methods=["kd", "kd"]), "twice"),
        (dict(methods=["kd"], seeds=[0, 0]), "twice"),
        (dict(methods=["kd"], seeds=["a"]), "whole numbers"),
        (dict(methods=["student"]), "comes by itself"),
        (dict(methods=["kdd"]), "'kd'"),
        (dict(methods=["kd"], pairs=["digits/pear"]), "digits/pair"),
    ],
)
def test_what_is_refused(tmp_path: Path, section: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned(tmp_path, **section)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sweep.py"
    file.write_text("sweep = dict(pairs=['digits/pair'], methods=['kd'], seeds=[0, 3])\n")
    assert read_sweep(file).seeds == (0, 3)
    file.write_text("methods = ['kd']\n")
    with pytest.raises(UserError, match="has no sweep"):
        read_sweep(file)
