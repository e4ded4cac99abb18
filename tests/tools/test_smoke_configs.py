"""tools/smoke_configs.py: a sample of what `make configs` does to all configs."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from cls_kd.engine import load_config, plan, smoke
from cls_kd.engine.smoke import find_configs, one_of_each, try_config, try_together
from cls_kd.engine.smoke_config import BATCH, STEPS, tiny_config, write_data
from cls_kd.engine.smoke_groups import group_cells, joined_config
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from cls_kd.runs import read_config
from tests.tools.driver import ROOT, call

CONFIGS = ROOT / "configs"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("made_up"))


@pytest.mark.parametrize(
    "name",
    [
        "benchmarks/crd/cifar100/wrn40_2_shufflenet_v1",
        "benchmarks/nkd/imagenet/resnet34_resnet18",
        "benchmarks/uskd/imagenet/shufflenet_v2",
        "benchmarks/uskd/imagenet/deit_tiny",
        "baselines/imagenet/regnetx_1_6gf",
    ],
)
def test_a_benchmark_trains(name: str, data: Path, tmp_path: Path) -> None:
    file = CONFIGS / f"{name}.py"
    assert try_config(file, data, tmp_path / "run") == "trained"
    assert (tmp_path / "run" / "result.json").is_file()
    assert (tmp_path / "run" / "epoch_1.pth").is_file()
    assert not (tmp_path / "run" / "epoch_2.pth").exists()


def test_two_steps_of_the_schedule_as_it_is(data: Path, tmp_path: Path) -> None:
    file = CONFIGS / "benchmarks" / "uskd" / "imagenet" / "shufflenet_v2.py"
    (run,) = plan(load_config(file), tmp_path)
    schedule = CONFIGS / "_base_" / "schedules" / "imagenet_shufflenet_v2_1_0.py"
    run.cfg.param_scheduler = read_config(schedule).param_scheduler
    cfg = tiny_config(run.cfg, data)
    assert cfg.train_dataloader.batch_size == BATCH
    assert cfg.train_dataloader.num_batch_per_epoch == STEPS
    # 5,000 warm-up steps are more than 300 epochs of two.
    assert cfg.train_cfg.max_epochs * STEPS > 5000
    assert cfg.param_scheduler == run.cfg.param_scheduler
    assert cfg.optim_wrapper == run.cfg.optim_wrapper
    assert cfg.train_dataloader.dataset.pipeline[1]["scale"] == 64


def test_the_weak_head_of_uskd_is_as_wide_as_shufflenets_third_stage(data: Path) -> None:
    file = CONFIGS / "benchmarks" / "uskd" / "imagenet" / "shufflenet_v2.py"
    (run,) = plan(load_config(file), Path("nowhere"))
    model, _, _ = build_parts(tiny_config(run.cfg, data))
    assert model.losses["uskd"].weak_head.in_features == 464


def test_one_seed_of_each_run_is_enough(tmp_path: Path) -> None:
    runs = one_of_each(plan(load_config(CONFIGS / "digits" / "demo.py"), tmp_path))
    assert [run.name for run in runs] == ["teacher", "student", "kd", "nkd"]
    assert all(run.depends_on["run:teacher"] is runs[0] for run in runs[2:])


def test_patterns_choose() -> None:
    every = find_configs(CONFIGS)
    assert len(find_configs(CONFIGS, ["benchmarks/dkd/*"])) == 16
    pair = str(CONFIGS / "digits" / "pair.py")
    assert [file.stem for file in find_configs(CONFIGS, [pair, "digits/demo"])] == ["demo", "pair"]
    assert not any("_base_" in file.parts or "methods" in file.parts for file in every)
    with pytest.raises(UserError, match="benchmarks/dkd/cifar100/vgg13_vgg8"):
        find_configs(CONFIGS, ["benchmarks/dkd/cifar100/vgg13_vgg9"])


def test_the_tool_names_networks_and_says_what_became_of_them() -> None:
    outcome = call("smoke_configs.py", "networks/digits_[st]*").succeeded()
    assert "2 configs, 0 failed" in outcome.out
    assert "1/2 networks/digits_student" in outcome.out
    listed = call("smoke_configs.py", "--list", "networks/digits_[st]*").succeeded().out
    assert listed.split() == ["networks/digits_student", "networks/digits_teacher"]


def test_a_config_that_fails_fails_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise UserError("too wide")

    monkeypatch.setattr(smoke, "try_config", broken)
    outcome = call("smoke_configs.py", "networks/digits_[st]*")
    assert outcome.code == 1
    assert "FAILED: UserError: too wide" in outcome.out
    assert "2 configs, 2 failed" in outcome.out


def test_runs_of_one_kind_are_tried_once(tmp_path: Path) -> None:
    file = CONFIGS / "digits" / "papers" / "generations.py"
    runs = one_of_each(plan(load_config(file), tmp_path))
    # A student is like any other, whoever taught it; only its losses tell chains apart.
    assert [run.name for run in runs] == [
        "strict_0",
        "strict_1",
        "born_again_1",
        "tsd_0",
        "smoothing_0",
        "penalty_0",
    ]
    assert runs[1].depends_on["run:strict_0"] is runs[0]


def test_cells_that_differ_in_their_losses_train_together(data: Path, tmp_path: Path) -> None:
    cells = [f"benchmarks/{name}/cifar100/vgg13_vgg8" for name in ("sp", "pkt", "dot", "at")]
    files = find_configs(CONFIGS, [*cells, "networks/digits_student"])
    groups = [[file.parent.parent.name for file in group] for group in group_cells(files)]
    # DOT is an optimizer; a network is no cell.
    assert sorted(groups) == [["at", "pkt", "sp"], ["configs"], ["dot"]]
    together = next(group for group in group_cells(files) if len(group) == 3)
    losses = joined_config(together).model.losses
    assert list(losses) == ["at_ce", "at_at", "pkt_ce", "pkt_pkt", "sp_ce", "sp_sp"]
    assert try_together(together, data, tmp_path) == "trained, 3 cells at once"


def test_a_group_that_fails_is_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_at(file: Path, *_: object) -> str:
        if "at" not in file.parts:
            raise UserError("too wide")
        return "trained"

    def broken(*_: object) -> str:
        raise UserError("some cell")

    monkeypatch.setattr(smoke, "try_together", broken)
    monkeypatch.setattr(smoke, "try_config", only_at)
    cells = [f"benchmarks/{name}/cifar100/resnet56_resnet20" for name in ("at", "sp")]
    outcomes = list(smoke.try_configs(find_configs(CONFIGS, cells), CONFIGS))
    assert [(one.name, one.did) for one in outcomes] == [
        (cells[0], "trained"),
        (cells[1], "UserError: too wide"),
    ]


def test_processes_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    # A server would import all anew.
    monkeypatch.setattr(smoke, "get_context", lambda _: multiprocessing.get_context("fork"))
    files = find_configs(CONFIGS, ["networks/digits_*"])
    outcomes = list(smoke.try_configs(files, CONFIGS, jobs=2))
    assert [(one.name, one.failed) for one in outcomes] == [
        ("networks/digits_branches", False),
        ("networks/digits_student", False),
        ("networks/digits_teacher", False),
    ]
