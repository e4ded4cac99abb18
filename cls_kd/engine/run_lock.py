"""A lock on a run's folder: two processes must not train one run at the same time."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.dist import broadcast_object_list, is_main_process

from cls_kd.errors import UserError
from cls_kd.runs import RESULT, Run

LOCK = ".lock"
"""Name of the lock file. It stays in the folder; it is the lock on it that counts."""


class RunHeldError(UserError):
    """Another process trains the run, or has just trained it."""


class RunLock:
    """The lock of one run's folder, taken by the main process for all processes of a training.

    It is a lock of the operating system (``flock`` on Linux), which ends with the process that
    holds it, however that ends. Nothing is written before ``acquire``.

    Args:
        run: The run. What is in its folder now is what training is decided upon.

    Raises:
        RunHeldError: Another process trains the run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._path = run.work_dir / LOCK
        self._lock = FileLock(self._path, blocking=False)
        self._state = _state(run.work_dir)
        check_free([run])

    def acquire(self) -> None:
        """Take the lock, creating the run's folder.

        Raises:
            RunHeldError: Another process trains the run, or has trained it since this object
                was made; in every process of a distributed training.
        """
        _raise_everywhere(self._problem_of_acquiring() if is_main_process() else None)

    def release(self) -> None:
        """Let others train the run; does nothing where the lock is not held."""
        self._lock.release()

    def _problem_of_acquiring(self) -> str | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            return _held(self._run)
        if _state(self._run.work_dir) != self._state:
            self.release()
            return (
                f"The run {self._run.title} in {self._run.work_dir} was trained by another process "
                "while this one prepared to train it. Start the command again."
            )
        self._path.write_text(f"{socket.gethostname()}, process {os.getpid()}", encoding="utf-8")
        return None


def check_free(runs: list[Run]) -> None:
    """Refuse runs that another process trains at the moment; writes nothing.

    Raises:
        RunHeldError: Names the folder and the process; in every process of a distributed
            training.
    """
    problem = None
    if is_main_process():
        problem = next((_held(run) for run in runs if is_locked(run.work_dir / LOCK)), None)
    _raise_everywhere(problem)


def is_held(run: Run) -> bool:
    """True if a process of this machine trains the run; writes nothing.

    The main process looks, for every process of a distributed training: two that look at once would
    each take the other's look for a lock.
    """
    return agreed(is_main_process() and is_locked(run.work_dir / LOCK))


def agreed(answer: bool) -> bool:
    """The main process's answer, in every process of a distributed training."""
    shared = [answer]
    broadcast_object_list(shared)
    return shared[0]


def is_locked(path: Path) -> bool:
    """True if a process of this machine holds the lock file; writes nothing."""
    if not path.is_file():
        return False
    try:
        with FileLock(path, blocking=False):
            return False
    except Timeout:
        return True


def _held(run: Run) -> str:
    owner = (run.work_dir / LOCK).read_text(encoding="utf-8") or "unknown"
    return (
        f"The run {run.title} in {run.work_dir} is being trained by another process ({owner}). "
        "Wait until it has ended, or use another --work-dir."
    )


def _state(folder: Path) -> list[str | None]:
    """Contents of the pointer to the last checkpoint and of the result; None where missing."""
    files = (folder / name for name in ("last_checkpoint", RESULT))
    return [file.read_text(encoding="utf-8") if file.is_file() else None for file in files]


def _raise_everywhere(problem: str | None) -> None:
    """Raise the main process's problem in all processes: none of them may wait for the others."""
    shared = [problem]
    broadcast_object_list(shared)
    if shared[0] is not None:
        raise RunHeldError(shared[0])
