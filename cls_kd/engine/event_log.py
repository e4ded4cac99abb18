"""Events of a run in a file of its folder: for other processes, and for what happened before."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cls_kd.engine.events import (
    EpochFinished,
    EventConsumer,
    RunEvent,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunSkipped,
    RunStarted,
    ValidationFinished,
)
from cls_kd.runs import Run

EVENTS = "events.jsonl"
"""Name of the file: one JSON object a line, appended to."""

_KINDS = {
    kind.__name__: kind
    for kind in (
        EpochFinished,
        RunFailed,
        RunInterrupted,
        RunSkipped,
        RunStarted,
        ValidationFinished,
    )
}
_IN_THE_FOLDER = ("name", "seed", "work_dir", "result")


class EventLog:
    """Appends the events of one run to its file.

    Args:
        run: Gives the folder, which the first event creates.
    """

    def __init__(self, run: Run) -> None:
        self._path = run.work_dir / EVENTS

    def __call__(self, event: RunEvent) -> None:
        """Write one line: kind, time in seconds, machine, process, and what the event holds."""
        facts = {key: value for key, value in asdict(event).items() if key not in _IN_THE_FOLDER}
        line = {
            "event": type(event).__name__,
            "time": time.time(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            **facts,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def logged_events(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's file, oldest first; one that is not whole yet is left out."""
    path = folder / EVENTS
    if not path.is_file():
        return []
    return list(_parsed(path.read_text(encoding="utf-8")))


def last_failure(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Reason of a failure since the last start of a run; None without one.

    In a distributed training another process may write after the one that failed.

    Args:
        events: Of the run, from `logged_events`.
    """
    for event in reversed(events):
        if event["event"] == RunStarted.__name__:
            return None
        if event["event"] == RunFailed.__name__:
            return str(event["error"])
        if event["event"] == RunSkipped.__name__:
            return str(event["reason"])
    return None


class EventFollower:
    """Passes on what other processes append to the files of some runs.

    Lines that stand there at the start are not passed on.

    Args:
        runs: Whose files are read.
        on_event: Gets each new event.
    """

    def __init__(self, runs: Sequence[Run], on_event: EventConsumer) -> None:
        self._runs = {run.work_dir: run for run in runs}
        self._read = {folder: _size(folder / EVENTS) for folder in self._runs}
        self._on_event = on_event

    def poll(self) -> None:
        """Pass on the lines that were added since the last call."""
        for folder, run in self._runs.items():
            path = folder / EVENTS
            if _size(path) <= self._read[folder]:
                continue
            with path.open("rb") as file:
                file.seek(self._read[folder])
                whole = file.read().rpartition(b"\n")[0]
            if not whole:
                continue
            self._read[folder] += len(whole) + 1
            for line in _parsed(whole.decode()):
                event = _event(run, line)
                if event is not None:
                    self._on_event(event)


def _event(run: Run, line: dict[str, Any]) -> RunEvent | None:
    if line["event"] == RunFinished.__name__:
        result = run.result()
        return None if result is None else RunFinished.of(run, result=result)
    facts = {
        key: value for key, value in line.items() if key not in ("event", "time", "host", "process")
    }
    return _KINDS[line["event"]].of(run, **facts)


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:  # a process was killed while it wrote
            continue


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
