"""Dead workers, dead nodes, cut cables and requeued jobs, for `faults.py`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fault_runs
from fault_runs import ROOT, Row

EPOCHS = 8
_TIMEOUT = 20
_ADDRESSES = ("10.88.0.1", "10.88.0.2")
_NODES = ("clskd0", "clskd1")
_CABLES = ("clskdc0", "clskdc1")
_SECONDS = 400
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def launched(work_dir: Path, options: Sequence[str], before: Sequence[str] = ()) -> Any:
    """A training by `cls-kd launch`, which says what it says beside its folder."""
    changes = [
        f"train_cfg.max_epochs={EPOCHS}",
        "default_hooks.checkpoint.interval=1",
        "default_hooks.checkpoint.max_keep_ckpts=-1",
        "train_dataloader.dataset.times=4",
    ]
    command = [*before, sys.executable, "-m", "cls_kd", "launch", "--timeout", f"{_TIMEOUT}s"]
    command += [*options, "train", "digits/pair", "--method", "kd", "--work-dir", str(work_dir)]
    with work_dir.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            [*command, "--cfg-options", *changes], stdout=log, stderr=log, env=_ENVIRONMENT
        )


def reference(folder: Path) -> Path:
    """An uninterrupted training in two processes."""
    work_dir = folder / "whole"
    if not (work_dir / "kd" / "result.json").is_file():
        process = launched(work_dir, ["--processes", "2", "--port", "29611"])
        assert process.wait(_SECONDS) == 0, work_dir.with_suffix(".log").read_text()[-3000:]
    return work_dir / "kd"


def reached(work_dir: Path, epoch: int, processes: Sequence[Any]) -> bool:
    """Wait for the checkpoint of an epoch."""
    file = work_dir / "kd" / f"epoch_{epoch}.pth"
    return fault_runs.wait_until(
        lambda: file.is_file() or any(process.poll() is not None for process in processes), _SECONDS
    ) and (file.is_file())


def early(work_dir: Path, processes: Sequence[Any]) -> str:
    """Why there was nothing to disturb; what is left is ended."""
    codes = [process.poll() for process in processes]
    for process in processes:
        for pid in [*descendants(process.pid), process.pid]:
            if process.poll() is None:
                os.kill(pid, signal.SIGKILL)
        process.wait()
    return f"not begun {codes}: {work_dir.with_suffix('.log').read_text()[-300:]}"


def verdict(work_dir: Path, expected: Path, processes: Sequence[Any]) -> str:
    """Wait for the end, and compare."""
    codes = []
    for process in processes:
        try:
            codes.append(process.wait(_SECONDS))
        except subprocess.TimeoutExpired:
            for pid in descendants(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.kill()
            return "did not end"
    if any(codes):
        logs = " / ".join(path.read_text()[-300:] for path in work_dir.parent.glob("*.log"))
        return f"exit codes {codes}: {logs}"
    problems = fault_runs.differences(work_dir / "kd", expected)[:3]
    problems += fault_runs.leftovers(work_dir)
    return "; ".join(problems) or "bit-identical"


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if entry.name.isdigit() and fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    children = parents.get(pid, [])
    return children + [inner for child in children for inner in descendants(child)]


def counted(fault: str, outcomes: list[str]) -> list[Row]:
    """One line, with the number of tries for each outcome."""
    counts = {text: outcomes.count(text) for text in outcomes}
    text = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return [Row(fault, len(outcomes), text)]


def workers(folder: Path, tries: int, seed: int) -> list[Row]:
    """SIGKILL one of two processes of a machine at a random moment."""
    moments, expected, outcomes = random.Random(seed), reference(folder), []
    for index in range(tries):
        work_dir = folder / f"worker_{index}"
        process = launched(work_dir, ["--processes", "2", "--port", str(29612 + index)])
        if not reached(work_dir, moments.randrange(1, EPOCHS - 1), [process]):
            outcomes.append(early(work_dir, [process]))
            continue
        time.sleep(moments.uniform(0, 0.5))
        trainings = [pid for pid in descendants(process.pid) if _is_training(pid)]
        os.kill(moments.choice(trainings), signal.SIGKILL)
        outcome = verdict(work_dir, expected, [process])
        left = [pid for pid in trainings if Path(f"/proc/{pid}").exists()]
        outcomes.append(outcome + (f"; {len(left)} processes left" if left else ""))
        shutil.rmtree(work_dir)
    return counted("dead worker of two", outcomes)


def _is_training(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"cls_kd" in words and b"launch" not in words


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@contextmanager
def two_nodes() -> Iterator[None]:
    """Two network namespaces, joined by a cable."""
    for name in _NODES:
        _ip("netns", "add", name)
    try:
        _ip("link", "add", _CABLES[0], "type", "veth", "peer", "name", _CABLES[1])
        for name, cable, address in zip(_NODES, _CABLES, _ADDRESSES, strict=True):
            _ip("link", "set", cable, "netns", name)
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            _ip("-n", name, "link", "set", cable, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in _NODES:
            for pid in _ip("netns", "pids", name).split():
                os.kill(int(pid), signal.SIGKILL)
            _ip("netns", "delete", name)


def on_node(rank: int, work_dir: Path) -> Any:
    """The training's process of a node."""
    before = ["ip", "netns", "exec", _NODES[rank], "env", f"GLOO_SOCKET_IFNAME={_CABLES[rank]}"]
    options = ["--nodes", "2", "--node-rank", str(rank), "--address", _ADDRESSES[0]]
    return launched(work_dir, options, before)


def _unable() -> str:
    if os.geteuid() != 0:
        return "skipped: network namespaces need root"
    return "" if shutil.which("ip") else "skipped: there is no command `ip`"


def nodes(folder: Path, tries: int, seed: int) -> list[Row]:
    """SIGKILL everything on one of two nodes; the scheduler gives the same command again."""
    if reason := _unable():
        return [Row("dead node of two", 0, reason)]
    moments, expected, outcomes = random.Random(seed), reference(folder), []
    for index in range(tries):
        work_dir = folder / f"node_{index}"
        with two_nodes():
            processes = [on_node(rank, work_dir) for rank in range(2)]
            if not reached(work_dir, moments.randrange(1, EPOCHS - 1), processes):
                outcomes.append(early(work_dir, processes))
                continue
            for pid in _ip("netns", "pids", _NODES[1]).split():
                os.kill(int(pid), signal.SIGKILL)
            processes[1].wait()
            processes[1] = on_node(1, work_dir)
            outcome = verdict(work_dir, expected, processes)
            left = [_ip("netns", "pids", name).split() for name in _NODES]
            outcomes.append(outcome + (f"; processes left: {left}" if any(left) else ""))
    return counted("dead node of two", outcomes)


def cables(folder: Path, tries: int, seed: int) -> list[Row]:
    """Cut the cable between two nodes for longer than processes wait for each other."""
    if reason := _unable():
        return [Row("cut cable", 0, reason)]
    moments, expected, outcomes = random.Random(seed), reference(folder), []
    for index in range(tries):
        work_dir = folder / f"cable_{index}"
        with two_nodes():
            processes = [on_node(rank, work_dir) for rank in range(2)]
            if not reached(work_dir, moments.randrange(1, EPOCHS - 1), processes):
                outcomes.append(early(work_dir, processes))
                continue
            _ip("-n", _NODES[1], "link", "set", _CABLES[1], "down")
            time.sleep(1.75 * _TIMEOUT)
            _ip("-n", _NODES[1], "link", "set", _CABLES[1], "up")
            outcome = verdict(work_dir, expected, processes)
            left = [_ip("netns", "pids", name).split() for name in _NODES]
            outcomes.append(outcome + (f"; processes left: {left}" if any(left) else ""))
    return counted("cut cable", outcomes)


def requeues(folder: Path, tries: int, seed: int) -> list[Row]:
    """Send SIGUSR1 to a job of Slurm, as its ``--signal`` does: it requeues itself."""
    if not shutil.which("sbatch") or subprocess.run(["sinfo"], capture_output=True).returncode:
        return [Row("requeue by Slurm", 0, "skipped: no Slurm is running")]
    moments, outcomes = random.Random(seed), []
    expected = _job(folder / "slurm_whole", 0, moments)
    assert expected == "ended", expected
    while len(outcomes) < tries:
        work_dir = folder / f"slurm_{len(outcomes)}"
        number = min(2, tries - len(outcomes))
        outcome = _job(work_dir, number, moments)
        if outcome == "ended":
            problems = fault_runs.differences(work_dir, folder / "slurm_whole")[:3]
            outcome = "; ".join(problems + fault_runs.leftovers(work_dir)) or "bit-identical"
        outcomes += [outcome] * number
    return counted("requeue by Slurm", outcomes)


def _job(work_dir: Path, requeues: int, moments: random.Random) -> str:
    """A job that is asked to end so many times."""
    changes = f"train_cfg.max_epochs={EPOCHS} default_hooks.checkpoint.interval=1"
    command = (
        f"PATH={Path(sys.executable).parent}:$PATH GPUS=1 CPUS_PER_TASK=1 SRUN_ARGS=--gres=none "
        f"{ROOT}/tools/slurm_train.sh main faults {ROOT}/configs/digits/pair.py {work_dir} "
        f"--run kd --resume --cfg-options {changes}"
    )
    log = work_dir.with_suffix(".log")
    options = ["--parsable", "--requeue", "--open-mode=append", f"--output={log}"]
    submitted = subprocess.run(
        ["sbatch", *options, "--wrap", command],
        check=True,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
    )
    job = submitted.stdout.strip().partition(";")[0]
    for number in range(requeues):
        file = work_dir / f"epoch_{3 * number + moments.randrange(1, 3)}.pth"
        if not fault_runs.wait_until(lambda file=file: file.is_file(), _SECONDS):
            subprocess.run(["scancel", job], check=False)
            return f"no checkpoint: {log.read_text()[-300:]}"
        subprocess.run(["scancel", "--signal=USR1", job], check=True)
        if not fault_runs.wait_until(lambda: _state(job) == "PENDING", 120):
            return f"not requeued: {_state(job)}: {log.read_text()[-300:]}"
        # Slurm holds a requeued job back for two minutes.
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)
    fault_runs.wait_until(lambda: _state(job) not in ("PENDING", "RUNNING", "COMPLETING"), _SECONDS)
    state = _state(job)
    return "ended" if state == "COMPLETED" else f"{state}: {log.read_text()[-300:]}"


def _state(job: str) -> str:
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True)
    return shown.stdout.partition("JobState=")[2].partition(" ")[0]
