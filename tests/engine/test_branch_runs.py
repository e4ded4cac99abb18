"""A student of several branches: killed and resumed, and composed with a method."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from mmengine.config import Config

from cls_kd.engine import load_config, plan
from cls_kd.errors import UserError
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die
from tests.engine.tiny_runs import STEPS

BRANCHES = tiny_runs.ROOT / "configs" / "digits" / "branches.py"


def config(method: str = "okdmde", epochs: int = 2) -> Config:
    cfg = load_config(BRANCHES, method=method)
    cfg.pop("runs")
    cfg.param_scheduler[0]["T_max"] = epochs
    cfg.merge_from_dict(
        {
            "train_dataloader.batch_size": 20,
            "train_dataloader.dataset": {"_delete_": True, **tiny_runs.TRAIN},
            "val_dataloader.dataset.indices": 60,
            "test_dataloader.dataset.indices": 60,
            "train_cfg.max_epochs": epochs,
            "default_hooks.checkpoint.interval": 1,
            "model.student.backbone.dropout": 0.2,
            "console_log_level": "ERROR",
        }
    )
    return cfg


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    cfg = config()
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "whole") == 0
    place = tmp_path / "run"
    assert tiny_runs.in_child(train_and_die, cfg, place, in_step, STEPS + 2) == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place, True) == 0
    whole, again = tiny_runs.state(tmp_path / "whole"), tiny_runs.state(place)
    assert not tiny_runs.different(whole, again)
    val = tiny_runs.result(place)["val"][-1]
    assert {"accuracy/top1", "branch_2/top1", "branches/diversity", "ensemble/top1"} <= set(val)


def test_a_method_brings_its_fusion() -> None:
    (run,) = plan(load_config(BRANCHES, method="okddip"), Path("nowhere"))
    student = run.cfg.model.student
    assert student.fusion.type.endswith("AttentionFusion")
    assert (student.num_branches, student.deploy, student.cut_after) == (4, -1, "stage1")
    (run,) = plan(load_config(BRANCHES, method="dml"), Path("nowhere"))
    assert run.cfg.model.student.cut_after is None


def test_another_student_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"'one'.*MultiBranchClassifier.*ImageClassifier"):
        load_config(tiny_runs.PAIR, method="one")
