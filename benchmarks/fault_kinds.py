"""Kills, requests to end, full disks and damaged checkpoints, for `faults.py`."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import fault_runs
from fault_runs import EPOCHS, KINDS, REFUSED, REQUEUE, Row

_DISK = "12m"


def whole(folder: Path, kind: str) -> tuple[Any, Path, float]:
    """The config of a kind, its uninterrupted training, and the seconds which that took."""
    teacher = folder / "teacher.pth"
    if not teacher.is_file():
        fault_runs.save_teacher(teacher)
    cfg, work_dir = fault_runs.config(kind, teacher), folder / "whole" / kind.replace(" ", "_")
    start = time.monotonic()
    if not (work_dir / "result.json").is_file():
        work_dir.parent.mkdir(exist_ok=True)
        code = fault_runs.ended(fault_runs.train_one, cfg, work_dir, log=folder / "whole.log")
        assert code == 0, (folder / "whole.log").read_text()
        (work_dir / "seconds").write_text(str(time.monotonic() - start))
    return cfg, work_dir, float((work_dir / "seconds").read_text())


def chain(
    folder: Path, kind: str, tries: int, moments: random.Random, number: int
) -> tuple[Counter[int], list[str]]:
    """Send signals at random moments to trainings of a kind, each resumed until it has ended.

    Returns:
        Number of processes by their exit codes, and what was not as it must be.
    """
    cfg, reference, seconds = whole(folder, kind)
    codes: Counter[int] = Counter()
    problems: list[str] = []
    for index in range(1000):
        work_dir = folder / f"{signal.Signals(number).name}_{kind.replace(' ', '_')}_{index}"
        log, code = work_dir.with_suffix(".log"), -1
        while code:
            process = fault_runs.started(fault_runs.train_one, cfg, work_dir, log=log)
            is_struck = sum(codes.values()) < tries
            wait = moments.uniform(0, 0.7 * seconds) if is_struck else 120.0
            code = fault_runs.killed_after(process, wait, number)
            if left := fault_runs.left_behind(process.pid):
                problems.append(f"{len(left)} processes are left")
            if code:
                codes[code] += 1
            if code not in (0, -number, REQUEUE):
                problems.append(f"exit code {code}: {log.read_text()[-300:]}")
                return codes, problems
            if (work_dir / "last_checkpoint").is_file():
                fault_runs.last(work_dir)  # raises where it is not whole
        problems += fault_runs.differences(work_dir, reference)[:3]
        problems += fault_runs.leftovers(work_dir)
        shutil.rmtree(work_dir)
        if sum(codes.values()) >= tries:
            break
    return codes, problems


def signals(folder: Path, tries: int, seed: int, number: int) -> list[Row]:
    """One line for each kind of method."""
    moments, rows = random.Random(seed), []
    for kind, count in zip(KINDS, shares(tries, len(KINDS)), strict=True):
        if not count:
            continue
        codes, problems = chain(folder, kind, count, moments, number)
        answer = ""
        if number != signal.SIGKILL:
            early = codes[-number]
            answer = f"{codes[REQUEUE]} checkpoints at the next step, {early} before training; "
        outcome = "; ".join(problems) or "bit-identical"
        name = signal.Signals(number).name
        rows.append(Row(f"{name}, {kind}", sum(codes.values()), answer + outcome))
    return rows


def kills(folder: Path, tries: int, seed: int) -> list[Row]:
    """SIGKILL at random moments."""
    return signals(folder, tries, seed, signal.SIGKILL)


def preemptions(folder: Path, tries: int, seed: int) -> list[Row]:
    """SIGTERM at random moments."""
    return signals(folder, tries, seed, signal.SIGTERM)


def shares(tries: int, kinds: int) -> list[int]:
    """As many for each kind, as far as that goes."""
    return [tries // kinds + (index < tries % kinds) for index in range(kinds)]


def disks(folder: Path, tries: int, seed: int) -> list[Row]:
    """A small disk that another process fills at a random moment; room is made afterwards."""
    if os.geteuid() != 0:
        return [Row("full disk", 0, "skipped: mounting a small disk needs root")]
    moments = random.Random(seed)
    kinds = list(KINDS)
    messages: Counter[str] = Counter()
    problems: list[str] = []
    for index in range(tries):
        cfg, reference, seconds = whole(folder, kinds[index % len(kinds)])
        disk = folder / f"disk_{index}"
        disk.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "cls_kd_faults", disk], check=True
        )
        try:
            message = _filled(cfg, disk, moments.uniform(0, seconds), folder)
            messages[message] += 1
            if fault_runs.ended(fault_runs.train_one, cfg, disk / "run", log=folder / "disk.log"):
                problems.append((folder / "disk.log").read_text()[-300:])
            else:
                problems += fault_runs.differences(disk / "run", reference)[:3]
                problems += fault_runs.leftovers(disk)
        finally:
            subprocess.run(["umount", disk], check=True)
    said = ", ".join(f"{count} x {message!r}" for message, count in messages.items())
    return [Row("full disk", tries, f"{said}; then {'; '.join(problems) or 'bit-identical'}")]


def _filled(cfg: Any, disk: Path, seconds: float, folder: Path) -> str:
    """Fill the disk while a training writes to it. What the training said, without its path."""
    log = folder / f"{disk.name}.log"
    process = fault_runs.started(fault_runs.train_one, cfg, disk / "run", log=log)
    process.join(seconds)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while process.is_alive():
            try:
                file.write(bytes(4096))
            except OSError:
                process.join(0.05)
        code = process.exitcode
    filler.unlink()
    if code == 0:
        return "ended before"
    said = log.read_text()
    text = said.strip().splitlines()[-1].replace(str(disk), "").partition(" (")[0]
    tracebacks = said.count("Traceback")
    trouble = f"exit code {code}, " if code != REFUSED else ""
    trouble += f"{tracebacks} tracebacks, " if tracebacks else ""
    return trouble + re.sub(r"epoch_\d+", "epoch_N", text)


def damages(folder: Path, tries: int, seed: int) -> list[Row]:
    """Bits flipped in the last checkpoint, or its end cut, before a training goes on."""
    moments = random.Random(seed)
    rows = []
    cfg, reference, _ = whole(folder, "EMA")
    stopped = folder / "stopped"
    process = fault_runs.started(fault_runs.train_one, cfg, stopped, log=folder / "stopped.log")
    assert fault_runs.wait_until((stopped / f"epoch_{EPOCHS // 2}.pth").is_file, 120)
    assert fault_runs.killed_after(process, 0.05) == -signal.SIGKILL
    for name, count in zip((flipped, cut), shares(tries, 2), strict=True):
        problems: list[str] = []
        for index in range(count):
            work_dir = folder / f"{name.__name__}_{index}"
            shutil.copytree(stopped, work_dir)
            pointer = work_dir / "last_checkpoint"
            checkpoint = work_dir / Path(pointer.read_text()).name
            pointer.write_text(str(checkpoint))
            name(checkpoint, moments)
            log = work_dir.with_suffix(".log")
            if code := fault_runs.ended(fault_runs.train_one, cfg, work_dir, log=log):
                problems.append(f"exit code {code}: {log.read_text()[-300:]}")
                continue
            if "is damaged" not in log.read_text():
                problems.append("not noticed")
            problems += fault_runs.differences(work_dir, reference)[:3]
            problems += fault_runs.leftovers(work_dir)
            shutil.rmtree(work_dir)
        outcome = "; ".join(problems) or "said, went on from the one before, bit-identical"
        rows.append(Row(f"checkpoint {name.__name__}", count, outcome))
    return rows


def flipped(path: Path, moments: random.Random) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
    path.write_bytes(content)


def cut(path: Path, moments: random.Random) -> None:
    """Lose the end, or all."""
    content = path.read_bytes()
    path.write_bytes(content[: moments.randrange(len(content))])
