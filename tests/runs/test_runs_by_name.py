"""``runs`` as a dict by name is planned as the list of the same runs is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cls_kd.errors import UserError
from cls_kd.runs import PlainConfig, Run, load_config, plan

ROOT = Path(__file__).parents[2]
HEAD = """
from mmengine.config import read_base
with read_base():
    from cls_kd.configs.digits.pair import *
"""
BY_NAME = """
runs = dict(teacher=teacher, kd=dict(seeds=[0, 1, 2]))
"""
LISTED = """
runs = [dict(name="teacher", **teacher), dict(name="kd", seeds=[0, 1, 2])]
"""


def planned(folder: Path, text: str, **options: Any) -> list[Run]:
    file = folder / "config.py"
    file.write_text(HEAD + text)
    return plan(load_config(file, **options), folder / "work_dir")


def facts(runs: list[Run]) -> list[tuple[str, int, Path, str]]:
    return [(run.name, run.seed, run.work_dir, run.digest()) for run in runs]


def test_both_forms_are_the_same_runs(tmp_path: Path) -> None:
    listed = facts(planned(tmp_path, LISTED))
    assert [(name, seed) for name, seed, *_ in listed] == [
        *(("teacher", 0), ("kd", 0), ("kd", 1), ("kd", 2)),
    ]
    assert facts(planned(tmp_path, BY_NAME)) == listed
    changed = planned(tmp_path, BY_NAME + "runs['kd'].update(seeds=[5])")
    assert [run.seed for run in changed] == [0, 5]


def test_an_option_changes_a_run_by_its_name(tmp_path: Path) -> None:
    options = {"runs.kd.seeds": [4, 7], "runs.teacher.train_cfg.max_epochs": 3}
    teacher, *students = planned(tmp_path, BY_NAME, options=options)
    assert teacher.cfg.train_cfg.max_epochs == 3
    assert [run.seed for run in students] == [4, 7]
    assert {run.cfg.train_cfg.max_epochs for run in students} == {20}
    assert [run.seed for run in planned(tmp_path, BY_NAME, seed=9)] == [9, 9]


def test_what_is_printed_keeps_the_order_of_the_runs(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    file.write_text(HEAD + BY_NAME)
    cfg = load_config(file)
    printed = tmp_path / "printed.py"
    printed.write_text(PlainConfig(cfg.to_dict()).pretty_text)
    assert facts(plan(load_config(printed), tmp_path)) == facts(plan(cfg, tmp_path))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (BY_NAME, {"runs.kdd.seeds": [0]}, r"there is no run 'kdd'.*kd"),
        (BY_NAME, {"runs.1.seeds": [0]}, r"there is no run '1'.*teacher"),
        ("runs = dict(kd=dict(name='nkd'))", {}, r"runs.kd is named by its key.*name='nkd'"),
        ("runs = dict(kd=3)", {}, r"runs must be a list of dicts or a dict of dicts"),
        ("runs = {}", {}, "nothing to train"),
        (BY_NAME + "runs['kd'].update(epochs=3)", {}, "runs.kd: a run has no 'epochs'"),
        (
            "runs = dict(kd=dict(train_cfg=dict(max_epochs=7)))",
            {"train_cfg.max_epochs": 3},
            r"changed by its name: runs.kd.train_cfg.max_epochs=3",
        ),
    ],
)
def test_what_is_wrong_is_said_by_name(
    tmp_path: Path, text: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        planned(tmp_path, text, options=options)
