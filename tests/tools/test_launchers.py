"""Several processes: torchrun and Slurm, on this machine, over gloo."""

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
from tests.tools.conftest import Spoil, Trained
from tests.tools.driver import PAIR, ROOT, TOOLS, Outcome, call, spawn

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

SRUN = """#!/usr/bin/env bash
# Runs as many local processes as there are tasks, as srun would on its nodes.
ntasks=1
while [[ $1 == --* ]]; do
    case $1 in --ntasks=*) ntasks=${1#*=} ;; esac
    echo "$1" >>"$FAKE/srun.txt"
    shift
done
for ((rank = 0; rank < ntasks; rank++)); do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank SLURM_NTASKS=$ntasks \\
        SLURM_NODELIST='loop[01-02,7],gpu-x[3-4]' "$@" &
    tasks+=($!)
done
status=0
for task in "${tasks[@]}"; do wait "$task" || status=1; done
exit $status
"""

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


def probed(config: Spoil, folder: Path) -> Path:
    (folder / "rank_probe.py").write_text(PROBE)
    return config(
        "custom_imports = dict(imports=['rank_probe'])",
        f"custom_hooks = [dict(type='RankProbe', folder={str(folder)!r})]",
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


@pytest.mark.ddp
def test_two_processes_train_one_student_and_test_it(config: Spoil, tmp_path: Path) -> None:
    path, work_dir, out = probed(config, tmp_path), tmp_path / "work", tmp_path / "out.json"
    changes = {"PORT": str(free_port()), "PYTHONPATH": str(tmp_path)}
    spawn(TOOLS / "dist_train.sh", path, 2, "--work-dir", work_dir, **changes).succeeded()
    check_ranks(tmp_path)
    result = json.loads((work_dir / "result.json").read_text())
    checkpoint = work_dir / "epoch_1.pth"
    changes["PORT"] = str(free_port())
    spawn(TOOLS / "dist_test.sh", path, checkpoint, 2, "--out", out, **changes).succeeded()
    found = json.loads(out.read_text())["evaluations"][0]
    assert found["metrics"] == result["test"]
    assert found["images"] == 439
    call("test.py", PAIR, checkpoint, "--out", out).succeeded()
    assert json.loads(out.read_text())["evaluations"][0] == found


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment with Slurm's two programs, as far as they are used."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {"FAKE": str(folder), "SLURM_JOB_ID": str(70000 + free_port() - 20000)}


def in_slurm(slurm: dict[str, str], *command: object, **changes: str) -> Outcome:
    # env: the fakes come before whatever else is on PATH.
    prefix = ("env", f"PATH={slurm['FAKE']}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    return spawn(*prefix, *command, **slurm, **changes)


@pytest.mark.ddp
def test_slurm_starts_two_processes(slurm: dict[str, str], config: Spoil, tmp_path: Path) -> None:
    arguments = ("short", "a job", probed(config, tmp_path), tmp_path / "work")
    changes = {
        "GPUS": "2",
        "CPUS_PER_TASK": "1",
        "SRUN_ARGS": "--gres=none --qos=high",
        "PYTHONPATH": str(tmp_path),
    }
    in_slurm(slurm, TOOLS / "slurm_train.sh", *arguments, **changes).succeeded()
    check_ranks(tmp_path)
    assert (tmp_path / "work" / "result.json").is_file()
    assert (Path(slurm["FAKE"]) / "srun.txt").read_text().splitlines() == [
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
    asked = (Path(slurm["FAKE"]) / "scontrol.txt").read_text().splitlines()
    assert set(asked) == {"show hostnames loop[01-02,7],gpu-x[3-4]"}


def test_the_first_host_and_the_port_come_from_slurm(
    slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("FAKE", slurm["FAKE"])
    monkeypatch.setenv("PATH", f"{slurm['FAKE']}:{os.environ['PATH']}")
    job = {"PROCID": "3", "NTASKS": "8", "NODELIST": "other[1-9]", "JOB_ID": "1234567"}
    for name, value in {**job, "STEP_NODELIST": "loop[01-02,7],gpu-x[3-4]"}.items():
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
