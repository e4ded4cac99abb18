"""Where a sweep, a search or a comparison stands: what is finished, running, failed and waiting."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cls_kd.engine.event_log import EVENTS, last_failure, logged_events
from cls_kd.engine.events import RunStopped
from cls_kd.engine.loops import intervals
from cls_kd.engine.run_lock import LOCK, is_locked
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import CONFIG, RESULT, Run, read_config

RECORD = "sweep.json"
"""The runs of a sweep: its plan, for those who look at its folder."""

STOPPED = "stopped"
"""State of a run that a search gave up, or that a comparison trained as far as it wanted."""

STATES = ("finished", "running", STOPPED, "failed", "waiting")


@dataclass(frozen=True)
class RunStatus:
    """Where one run stands.

    Attributes:
        title: Pair, run and seed: ``pair/kd (seed 3)``.
        state: One of `STATES`.
        finished: Finished epochs (or validation intervals), as far as is known.
        length: All epochs.
        remaining: Expected seconds of a running one; None where nothing is measured.
        reason: Why it failed, or waits; empty otherwise.
    """

    title: str
    state: str
    finished: int
    length: int
    remaining: float | None
    reason: str


def record(plan: Mapping[str, Sequence[Run]], work_dir: Path) -> None:
    """Write the plan of a sweep into its folder; runs of an earlier plan stay."""
    known = {entry["folder"]: entry for entry in _recorded(work_dir)}
    for pair, runs in plan.items():
        for run in runs:
            folder = run.work_dir.relative_to(work_dir).as_posix()
            known[folder] = {
                "folder": folder,
                "title": f"{pair}/{run.title}",
                "digest": run.digest(),
                "length": intervals(run.cfg.train_cfg),
            }
    work_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(work_dir / RECORD, json.dumps({"runs": list(known.values())}, indent=1))


def sweep_status(work_dir: Path) -> list[RunStatus]:
    """The status of every run; writes nothing.

    Args:
        work_dir: Folder of a sweep, whose runs come in the order of its plan; or of ``cls-kd tune``
            or ``cls-kd choose``, with the runs that have begun, ordered by folder.

    Raises:
        UserError: The folder is none of these.
    """
    entries = _recorded(work_dir) or _begun(work_dir)
    if not entries:
        raise UserError(
            f"{work_dir} has no {RECORD} and no run with {EVENTS}: it is not the folder of "
            "cls-kd sweep, tune or choose."
        )
    return [_status(work_dir / entry["folder"], entry) for entry in entries]


def _begun(work_dir: Path) -> list[dict[str, Any]]:
    """Entries of the runs below a folder, as far as these know themselves."""
    folders = sorted(file.parent for file in work_dir.rglob(EVENTS))
    return [_entry(folder, work_dir) for folder in folders if (folder / CONFIG).is_file()]


def _entry(folder: Path, work_dir: Path) -> dict[str, Any]:
    title = folder.relative_to(work_dir).as_posix()
    length = intervals(read_config(folder / CONFIG).train_cfg)
    return {"folder": title, "title": title, "length": length}


def _recorded(work_dir: Path) -> list[dict[str, Any]]:
    path = work_dir / RECORD
    return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else []


def _status(folder: Path, entry: Mapping[str, Any]) -> RunStatus:
    events = logged_events(folder)
    state, reason = _state(folder, entry, events)
    epochs = [event["finished"] for event in events if event["event"] == "EpochFinished"]
    finished = entry["length"] if state == "finished" else max(epochs, default=0)
    remaining = _remaining(events, entry["length"]) if state == "running" else None
    return RunStatus(entry["title"], state, finished, entry["length"], remaining, reason)


def _state(
    folder: Path, entry: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    """State of a run, and the reason where it failed or has to wait."""
    if is_locked(folder / LOCK):
        return "running", ""
    result = folder / RESULT
    if result.is_file():
        digest = json.loads(result.read_text(encoding="utf-8")).get("digest")
        if digest == entry.get("digest", digest):
            return "finished", ""
        return "waiting", "finished with another config"
    failure = last_failure(events)
    if failure is not None:
        return "failed", failure
    if events and events[-1].get("reason", "").startswith(RunStopped.__name__):
        return STOPPED, events[-1]["reason"].partition(": ")[2]
    return "waiting", "interrupted" if events else ""


def _remaining(events: Sequence[Mapping[str, Any]], length: int) -> float | None:
    """Seconds that a running run still takes, from its epochs since its last start."""
    starts = [index for index, event in enumerate(events) if event["event"] == "RunStarted"]
    current = events[starts[-1] :] if starts else events
    epochs = [event for event in current if event["event"] == "EpochFinished"]
    if len(epochs) < 2:
        return None
    first, last = epochs[0], epochs[-1]
    count = last["finished"] - first["finished"]
    if count <= 0:
        return None
    pace = (last["time"] - first["time"]) / count
    due = last["time"] + pace * (length - last["finished"])
    return max(0.0, due - time.time())
