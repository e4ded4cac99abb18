"""Methods of every kind train in two processes, in half precision, and resume to the last bit.

A kind is what a training may stumble over: the signals that the losses ask for, the losses that
learn or remember, and the data, optimizer or student that the method brings along. Of the methods
that differ in nothing but their formulas, one trains here; tests/losses and tests/distillers look
at each.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.engine import load_config, train
from cls_kd.losses import DistillLoss
from cls_kd.losses.wrapper import LossWrapper
from cls_kd.runs.compose import known_methods
from tests.distillers import tiny
from tests.distributed.test_two_processes import ends, in_two, train_and_keep
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die
from tests.engine.tiny_runs import ROOT, STEPS


def kind(method: str) -> Hashable:
    """What two methods of one kind have in common."""
    cfg = load_config(known_methods()[method]).to_dict()
    terms = build_terms(cfg["losses"], build_loss).values()
    signals = frozenset(name for term in terms for name in term.loss.signals)
    losses = [innermost(term.loss) for term in terms]
    with_state = frozenset(type(loss).__name__ for loss in losses if not loss.stateless)
    others = {key: value for key, value in cfg.items() if key != "losses"}
    return signals, with_state, str(others)


def innermost(loss: DistillLoss) -> DistillLoss:
    """The loss inside of wrappers."""
    return innermost(loss.loss) if isinstance(loss, LossWrapper) else loss


# Of each kind the first by name.
METHODS = sorted(
    {kind(method): method for method in sorted(known_methods(), reverse=True)}.values()
)
BRANCHES = ROOT / "configs" / "digits" / "branches.py"
EPOCHS = 2
GROUPS = 4
every_method = pytest.mark.parametrize("method", METHODS)


def config(method: str, teacher: Path, **options: Any) -> Config:
    """The method on a pair, on branches, or on vision transformers, as its signals want."""
    losses = load_config(known_methods()[method]).to_dict()["losses"]
    options = {"model__student__backbone__dropout": 0.2, **options}
    if tiny.wants_branches(losses):
        return tiny_runs.config(None, path=BRANCHES, method=method, epochs=EPOCHS, **options)
    if tiny.wants_tokens(losses):
        options["model__student"] = {"_delete_": True, **_vit(12, 2, drop_rate=0.2)}
        options.pop("model__student__backbone__dropout")
        options["model__teacher"] = {
            "_delete_": True,
            "network": _vit(16, 3),
            "weights": "random",
        }
    if tiny.wants_projector(losses):
        options.pop("model__student__backbone__dropout")
        width = tiny_runs.TEACHER["head"]["in_channels"]
        options |= {
            "path": ROOT / "configs" / "digits" / "simkd.py",
            "model__student__backbone__backbone__dropout": 0.2,
            "model__student__backbone__out_channels": width,
            "model__student__head__in_channels": width,
            "model__student__head__init_cfg__checkpoint": str(teacher),
        }
    if tiny.wants_teachers(losses):
        networks = (str(teacher), "random")
        options["model__teacher"] = [
            {"network": tiny_runs.TEACHER, "weights": weights} for weights in networks
        ]
    if "crd" in losses:
        options |= {"model__losses__crd__negatives": 16, "model__losses__crd__dim": 8}
    return tiny_runs.config(teacher, method=method, epochs=EPOCHS, **options)


def _vit(width: int, blocks: int, **options: Any) -> dict[str, Any]:
    network = tiny.vit(width, blocks)
    network["backbone"] |= {"in_channels": 1, **options}
    return network


@every_method
def test_a_killed_run_ends_as_one_that_was_not(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = config(method, digits_teacher)
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "whole") == 0
    died = tiny_runs.in_child(train_and_die, cfg, tmp_path / "run", in_step, STEPS + 2)
    assert died == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "run", True) == 0
    whole, run = tiny_runs.state(tmp_path / "whole"), tiny_runs.state(tmp_path / "run")
    assert not tiny_runs.different(whole, run)


def train_in_half(cfg: Config, work_dir: Path) -> None:
    run = tiny_runs.single(cfg, work_dir)
    dtypes = set()

    def note(module: torch.nn.Module, _: Any, output: Any) -> None:
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            dtypes.add(output.dtype)

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    result = train(run)
    hook.remove()
    assert torch.bfloat16 in dtypes
    values = [entry["loss"] for entry in result["train"]]
    assert len(values) == EPOCHS
    assert all(math.isfinite(value) for value in values)


@every_method
def test_half_precision(method: str, digits_teacher: Path, tmp_path: Path) -> None:
    cfg = config(method, digits_teacher, amp=True)
    assert tiny_runs.in_child(train_in_half, cfg, tmp_path) == 0


def train_all(configs: dict[str, Config], root: Path) -> None:
    for method, cfg in configs.items():
        (root / method).mkdir(parents=True, exist_ok=True)
        train_and_keep(tiny_runs.single(cfg, root / method).resolved(), root / method)


@pytest.mark.ddp
@pytest.mark.parametrize("group", range(GROUPS))
def test_two_processes(group: int, digits_teacher: Path, tmp_path: Path) -> None:
    """With ``find_unused_parameters=False``; both end with the same weights and banks."""
    configs = {
        method: config(method, digits_teacher, launcher="pytorch", train_dataloader__batch_size=10)
        for method in METHODS[group::GROUPS]
    }
    assert in_two(train_all, configs, tmp_path) == [0, 0]
    for method in configs:
        first, second = ends(tmp_path / method)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(value, second[key]), (method, key)
