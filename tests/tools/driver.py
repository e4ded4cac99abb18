"""Drives ``cls-kd`` and the tools as a user does: in this process, or in one of their own."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from unittest import mock

import torch

from cls_kd.cli import main

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
PAIR = ROOT / "configs" / "digits" / "pair.py"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    def succeeded(self) -> Outcome:
        assert self.code == 0, self.err[-3000:]
        return self

    def refused(self, *words: str) -> Outcome:
        """One message with all of ``words`` in it, exit code 1 or 2, no traceback."""
        assert self.code in (1, 2), (self.code, self.err[-3000:])
        assert "Traceback" not in self.err + self.out, self.err[-3000:]
        assert self.err.count("error: ") == 1, self.err
        for word in words:
            assert word in self.err, f"{word!r} is not in: {self.err}"
        return self


def call(tool: str, *arguments: object) -> Outcome:
    """Run a tool's main program in this process."""
    path = str(TOOLS / tool)
    with mock.patch.object(sys, "argv", [path, *map(str, arguments)]):
        return _captured(lambda: runpy.run_path(path, run_name="__main__"))


def command(*arguments: object) -> Outcome:
    """Run ``cls-kd`` in this process."""
    return _captured(lambda: main([*map(str, arguments)]))


def _captured(program: Callable[[], object]) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    # A command sets variables of its process, which other tests are not to find.
    with redirect_stdout(out), redirect_stderr(err), mock.patch.dict(os.environ):
        code = _exit_code(program)
    return Outcome(code, out.getvalue(), err.getvalue())


def _exit_code(program: Callable[[], object]) -> int:
    try:
        program()
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
            return 1
        return int(leaving.code or 0)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def environment(**changes: str) -> dict[str, str]:
    """For a process of its own: this interpreter's tools on PATH, one thread."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join(places),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        **changes,
    }


def spawn(*command: object, **changes: str) -> Outcome:
    """Run a program in a process of its own."""
    done = subprocess.run(
        list(map(str, command)),
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Child:
    """A process forked from this one, which runs ``python SCRIPT ARGUMENTS``.

    Quicker than `spawn` by all that need not be imported again.
    """

    process: ForkProcess
    streams: Path

    def outcome(self, timeout: float = 240) -> Outcome:
        """Wait for its end."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            raise TimeoutError((self.streams / "err").read_text()[-3000:])
        out, err = ((self.streams / name).read_text() for name in ("out", "err"))
        assert self.process.exitcode is not None
        return Outcome(self.process.exitcode, out, err)


def fork(script: object, *arguments: object, cwd: Path = ROOT, **changes: str) -> Child:
    """Start a program of Python in a process forked from this one.

    Args:
        script: Path of the program, absolute or below ``cwd``.
        arguments: Of the command line.
        cwd: Its folder.
        changes: Of the environment. ``PYTHONPATH`` is put before the paths of this process.
    """
    streams = Path(tempfile.mkdtemp())
    words = [str(script), *map(str, arguments)]
    target = (words, cwd, environment(**changes), streams)
    process = multiprocessing.get_context("fork").Process(target=_run_as_program, args=target)
    process.start()
    return Child(process, streams)


def _run_as_program(words: list[str], cwd: Path, variables: dict[str, str], streams: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(streams / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, "w")) for number in (1, 2))
    torch.set_num_threads(1)  # threads do not survive a fork
    gc.freeze()
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(cwd)
    sys.argv = words
    sys.path[:] = [*variables["PYTHONPATH"].split(os.pathsep), *filter(None, sys.path)]
    code = _exit_code(lambda: runpy.run_path(words[0], run_name="__main__"))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; empty where there is no such folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
