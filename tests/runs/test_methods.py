"""Methods that a config or a single run is composed with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cls_kd.engine import load_config as load_checked
from cls_kd.errors import UserError
from cls_kd.runs import Run, load_config, plan
from cls_kd.runs.sections import TOP_LEVEL

ROOT = Path(__file__).parents[2]
PAIR = ROOT / "configs" / "digits" / "pair.py"
HEAD = """
from mmengine.config import read_base
with read_base():
    from cls_kd.configs.digits.{base} import *
"""


def planned(folder: Path, text: str, base: str = "pair", **options: Any) -> dict[str, Run]:
    file = folder / "config.py"
    file.write_text(HEAD.format(base=base) + text)
    return {run.name: run for run in plan(load_config(file, **options), folder)}


def test_a_run_has_the_losses_of_its_method(tmp_path: Path) -> None:
    changes = "model=dict(teacher=None, losses=dict(cs_kd=dict(temperature=8.0)))"
    runs = planned(
        tmp_path,
        f"runs = dict(teacher=teacher, cs_kd=dict(method='cs_kd', {changes}), other=dict())",
    )
    losses = runs["cs_kd"].cfg.model.losses
    assert set(losses) == {"ce", "cs_kd"}
    assert losses.cs_kd.temperature == 8.0
    assert runs["cs_kd"].cfg.model.teacher is None
    assert "ClassPairs" in str(runs["cs_kd"].cfg.train_dataloader.dataset)
    assert set(runs["other"].cfg.model.losses) == {"ce", "kd"}
    assert "ClassPairs" not in str(runs["other"].cfg.train_dataloader.dataset)


def test_an_option_changes_a_setting_of_a_runs_method(tmp_path: Path) -> None:
    options = {"runs.kd.model.losses.kd.temperature": 2.0}
    runs = planned(tmp_path, "runs = dict(teacher=teacher, kd=dict(method='kd'))", options=options)
    assert runs["kd"].cfg.model.losses.kd.temperature == 2.0


def test_a_run_with_an_online_method_changes_the_branches(tmp_path: Path) -> None:
    text = "runs = dict(dml=dict(method='dml', model=dict(student=dict(num_branches=5))))"
    student = planned(tmp_path, text, base="branches")["dml"].cfg.model.student
    assert (student.cut_after, student.num_branches) == (None, 5)
    assert student.fusion.type.endswith("MeanFusion")
    with pytest.raises(UserError, match=r"'dml' is for a student of several branches"):
        planned(tmp_path, "runs = dict(dml=dict(method='dml'))")


def test_an_unknown_method_of_a_run_is_answered_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no method 'dkdd'.*'dkd'"):
        planned(tmp_path, "runs = dict(a=dict(method='dkdd'))")


def test_methods_beside_the_config_are_known_to_its_runs(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("losses = dict(ce=dict(type='TaskLoss'))")
    runs = planned(tmp_path, "runs = dict(teacher=teacher, a=dict(method='mine'))")
    assert set(runs["a"].cfg.model.losses) == {"ce"}


def test_a_method_may_bring_an_optimizer(tmp_path: Path) -> None:
    cfg = load_checked(PAIR, method="dot")
    teacher, student = plan(cfg, tmp_path)
    assert teacher.cfg.optim_wrapper == load_config(PAIR).optim_wrapper
    wrapper = student.cfg.optim_wrapper
    assert wrapper.type.endswith("SeparateGradientsOptimWrapper")
    assert wrapper.clip_grad is None
    optimizer = {"type": "cls_kd.optimizers.DOT", "delta": 0.075}
    kept = {"lr": 0.2, "momentum": 0.9, "weight_decay": 5e-4}
    assert wrapper.optimizer == {**optimizer, **kept}
    own = "optim_wrapper=dict(optimizer=dict(lr=0.1))"
    runs = planned(tmp_path, f"runs = dict(teacher=teacher, a=dict(method='dot', {own}))")
    assert runs["a"].cfg.optim_wrapper == {**wrapper, "optimizer": {**optimizer, **kept, "lr": 0.1}}
    assert runs["teacher"].cfg.optim_wrapper == teacher.cfg.optim_wrapper


@pytest.mark.parametrize("name", ["demo", "papers/nkd", "papers/online"])
def test_names_that_are_no_sections_stay_out_of_the_config(name: str) -> None:
    cfg = load_config(PAIR.parent / f"{name}.py")
    assert set(cfg.to_dict()) <= TOP_LEVEL
    for run in plan(cfg, Path("work_dir")):
        assert set(run.cfg.to_dict()) <= TOP_LEVEL
