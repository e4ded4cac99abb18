"""Agreements between ``cls-kd launch`` and the processes that it starts on one machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

FOLDER = "CLS_KD_LAUNCH_FOLDER"
"""Environment variable: a folder that the processes share with their launcher."""
PROCESSES = "CLS_KD_LAUNCH_PROCESSES"
"""Environment variable: the number of processes when all machines are there."""

_ENDING = "ending.json"


def launch_folder() -> Path | None:
    """The shared folder; None outside of ``cls-kd launch``."""
    name = os.environ.get(FOLDER)
    return Path(name) if name else None


def planned_processes() -> int | None:
    """Number of processes when all machines are there; None outside of ``cls-kd launch``."""
    number = os.environ.get(PROCESSES)
    return int(number) if number else None


def leave(code: int) -> int:
    """The exit code of a process whose end no restart would mend.

    The launcher would start a process that failed again. So under ``cls-kd launch`` the process
    ends with 0, and leaves the launcher a note to end with ``code``.
    """
    folder = launch_folder()
    if folder is None:
        return code
    (folder / _ENDING).write_text(json.dumps(code))
    return 0


def ending(folder: Path) -> int | None:
    """The exit code that a process has left in the shared folder, or None."""
    file = folder / _ENDING
    return int(json.loads(file.read_text())) if file.is_file() else None
