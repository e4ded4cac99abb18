"""Drives ``cls-kd`` and the tools as a user does: in this process, or in one of their own."""

from __future__ import annotations

import io
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

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


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; empty where there is no such folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
