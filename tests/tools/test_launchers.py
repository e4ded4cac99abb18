"""Several processes: cls-kd launch and Slurm, on this machine, over gloo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cls_kd.engine import compat
from cls_kd.errors import UserError
from tests.engine.tiny_runs import result
from tests.tools.conftest import Spoil, Trained
from tests.tools.driver import PAIR, ROOT, TOOLS, call, fork, spawn

SCRIPTS = ("dist_train.sh", "dist_test.sh", "slurm_train.sh")

PROBE = """
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook

from cls_kd.registry import HOOKS


@HOOKS.register_module()
class RankProbe(Hook):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def after_train(self, runner) -> None:
        state = runner.model.module.state_dict()
        place = f"{self.folder}/rank_{get_rank()}_of_{get_world_size()}.pth"
        torch.save({"state": state, "index": list(runner.train_dataloader.sampler)}, place)
"""

# Notes what it is to start, one word a line; the tests start it.
SRUN = """#!/usr/bin/env bash
printf '%s\\n' "PYTHONPATH=$PYTHONPATH" "$@" >"$FAKE/$(basename "$0").txt"
"""
NODES = "loop[01-02,7],gpu-x[3-4]"

SCONTROL = """#!/usr/bin/env bash
echo "$*" >>"$FAKE/scontrol.txt"
[[ $1 == show && $2 == hostnames && $3 == 'loop[01-02,7],gpu-x[3-4]' && $# == 3 ]] || exit 1
printf '127.0.0.1\\nloop02\\nloop7\\ngpu-x3\\ngpu-x4\\n'
"""


def free_port() -> int:
    """One of those that a job's number may stand for."""
    for port in range(20000 + os.getpid() % 9000, 30000):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no free port")


def probed(config: Spoil, folder: Path, **options: str) -> Path:
    (folder / "rank_probe.py").write_text(PROBE)
    return config(
        "custom_imports = dict(imports=['rank_probe'])",
        f"custom_hooks = [dict(type='RankProbe', folder={str(folder)!r})]",
        **options,
    )


def check_ranks(folder: Path) -> None:
    """Two ranks, which saw different samples, ended with the same weights and statistics."""
    ranks = [torch.load(folder / f"rank_{rank}_of_2.pth") for rank in range(2)]
    assert set(ranks[0]["index"]).isdisjoint(ranks[1]["index"])
    one, other = (rank["state"] for rank in ranks)
    assert one.keys() == other.keys()
    parameters = [key for key in one if "running_" not in key and "num_batches" not in key]
    assert all(torch.equal(one[key], other[key]) for key in parameters)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_bash_and_say_how_they_are_used(script: str) -> None:
    subprocess.run(["bash", "-n", TOOLS / script], check=True)
    assert os.access(TOOLS / script, os.X_OK)
    outcome = spawn(TOOLS / script, PAIR)
    assert outcome.code == 2
    assert outcome.err.startswith("usage: ")


LIST = """
from mmengine.config import read_base

with read_base():
    from cls_kd.configs.digits.pair import *

train_cfg["max_epochs"] = train_dataloader["dataset"]["times"] = 1
"""


@pytest.mark.ddp
def test_dist_train_trains_a_teacher_and_its_student(config: Spoil, tmp_path: Path) -> None:
    """Two processes, in which the second run of a list reads what the first one left."""
    path, work_dir = probed(config, tmp_path, text=LIST), tmp_path / "work"
    changes = {"PORT": str(free_port()), "PYTHONPATH": str(tmp_path)}
    arguments = ("--method", "dkd", "--work-dir", work_dir)
    spawn(TOOLS / "dist_train.sh", path, 2, *arguments, **changes).succeeded()
    check_ranks(tmp_path)
    for name in ("teacher", "dkd"):
        log = next((work_dir / name).rglob("*.log")).read_text()
        assert "Distributed training: True" in log
        assert "GPU number: 2" in log
        assert result(work_dir / name)["epochs"] == 1
    assert result(work_dir / "dkd")["teacher"]["0"]


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment in which programs that start others are there, as far as they are used."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("srun", SRUN), ("python", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {"FAKE": str(folder)}


def started(script: str, program: str, programs: dict[str, str], *arguments: object) -> list[str]:
    """All words of the command line that a script gives to this program."""
    # env: the fakes come before whatever else is on PATH.
    prefix = ("env", f"PATH={programs['FAKE']}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    spawn(*prefix, TOOLS / script, *arguments, **programs).succeeded()
    path, *words = (Path(programs["FAKE"]) / f"{program}.txt").read_text().splitlines()
    assert Path(path.removeprefix("PYTHONPATH=").split(":")[0]).samefile(ROOT)
    return words


def run_both(program: list[str], ranks: list[dict[str, str]]) -> None:
    """The same program in two processes, each with variables of its own."""
    children = [fork(*program, **variables) for variables in ranks]
    for child in children:
        child.outcome().succeeded()


@pytest.mark.ddp
def test_dist_test_tests_as_one_process_does(
    trained: Trained, programs: dict[str, str], tmp_path: Path
) -> None:
    out, student = tmp_path / "out.json", trained.student
    changes = programs | {"PORT": "29501"}
    training = started("dist_train.sh", "python", changes, PAIR, 2)
    words = started("dist_test.sh", "python", changes, PAIR, student, 2, "--out", out)
    # To the launcher the same as in training, where it really starts processes.
    place = words.index(str(TOOLS / "test.py"))
    assert words[:place] == training[:place]
    assert training[:3] == ["-m", "cls_kd", "launch"]
    assert training[place:] == [str(TOOLS / "train.py"), str(PAIR)]
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    ranks = [variables | {"RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    run_both([*words[place:], "--launcher", "pytorch"], ranks)
    evaluation = json.loads(out.read_text())["evaluations"][0]
    assert evaluation["images"] == 439
    assert evaluation["metrics"] == result(trained.work_dir / "nkd")["test"]
    call("test.py", PAIR, student, "--out", out).succeeded()
    assert json.loads(out.read_text())["evaluations"][0] == evaluation


@pytest.mark.ddp
def test_slurm_starts_two_processes(
    programs: dict[str, str], config: Spoil, tmp_path: Path
) -> None:
    path, work_dir = probed(config, tmp_path), tmp_path / "work"
    options = {"GPUS": "2", "CPUS_PER_TASK": "1", "SRUN_ARGS": "--gres=none --qos=high"}
    arguments = ("short", "a job", path, work_dir)
    words = started("slurm_train.sh", "srun", programs | options, *arguments)
    place = words.index("python")
    assert words[:place] == [
        "--partition=short",
        "--job-name=a job",
        "--gres=gpu:2",
        "--ntasks=2",
        "--ntasks-per-node=2",
        "--cpus-per-task=1",
        "--kill-on-bad-exit=1",
        "--gres=none",
        "--qos=high",
    ]
    assert words[place + 1] == "-u"
    variables = programs | {
        "PATH": f"{programs['FAKE']}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "SLURM_JOB_ID": str(70000 + free_port() - 20000),
        "SLURM_NTASKS": "2",
        "SLURM_NODELIST": NODES,
    }
    ranks = [{"SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in ("0", "1")]
    run_both(words[place + 2 :], [variables | rank for rank in ranks])
    check_ranks(tmp_path)
    assert (work_dir / "result.json").is_file()
    asked = (Path(programs["FAKE"]) / "scontrol.txt").read_text().splitlines()
    assert set(asked) == {f"show hostnames {NODES}"}


def test_the_first_host_and_the_port_come_from_slurm(
    programs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("FAKE", programs["FAKE"])
    monkeypatch.setenv("PATH", f"{programs['FAKE']}:{os.environ['PATH']}")
    job = {"PROCID": "3", "NTASKS": "8", "NODELIST": "other[1-9]", "JOB_ID": "1234567"}
    for name, value in {**job, "STEP_NODELIST": NODES}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    compat._environment_from_slurm()
    found = {name: os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT", "RANK")}
    assert found == {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "24567", "RANK": "3"}
    monkeypatch.setenv("MASTER_ADDR", "chosen")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "unheard-of")
    compat._environment_from_slurm()
    assert os.environ["MASTER_ADDR"] == "chosen"
    monkeypatch.delenv("MASTER_ADDR")
    with pytest.raises(UserError, match="could not expand the node list 'unheard-of'"):
        compat._environment_from_slurm()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="set MASTER_ADDR"):
        compat._environment_from_slurm()


def test_outside_of_slurm_the_launcher_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    options = ("--launcher", "slurm", "--work-dir", tmp_path / "work")
    call("train.py", PAIR, *options).refused("under srun only", "SLURM_PROCID")
    call("test.py", PAIR, trained.student, "--launcher", "slurm").refused("under srun only")
    assert not (tmp_path / "work").exists()


def test_the_root_of_the_project_is_found_from_anywhere(tmp_path: Path) -> None:
    assert (ROOT / "cls_kd").is_dir()
    done = subprocess.run(
        ["bash", TOOLS / "dist_train.sh"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 2
