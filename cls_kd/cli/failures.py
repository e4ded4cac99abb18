"""Errors at the command line: one message and an exit code in place of a traceback."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from cls_kd.errors import DivergedError, PreemptedError, UserError, is_of_lost_process
from cls_kd.files import unwritable
from cls_kd.launches import leave

REQUEUE = 75
"""Exit code of a training that a signal has ended: EX_TEMPFAIL of sysexits.h."""

_KILLED_WORKER = re.compile(r"DataLoader worker \(pid.*? is killed by signal: (\w+)")
"""PyTorch's message about a worker that is gone."""

_FROM_A_WORKER = re.compile(
    r"\ACaught \w+ in .*?^(?:[\w.]+\.)?(?:UserError|UnreadableImageError): ", re.S | re.M
)
"""Prefix that PyTorch puts before an error of a loader's worker: the worker's traceback."""


@contextmanager
def exit_with_message() -> Iterator[None]:
    """Turn an error that a user can mend into one message on stderr and exit code 1."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("Interrupted. --resume goes on from the last checkpoint.")
    except PreemptedError as error:
        _say_once(f"Interrupted: {error}")
        sys.exit(leave(REQUEUE))
    except Exception as error:
        if is_of_lost_process(f"{type(error).__name__}: {error}"):
            print(f"Process {_rank()} lost another one: {_last_line(error)}", file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)  # the process group would wait for the lost one once more
        message = explain(error)
        if message is None:
            raise
        _say_once(f"error: {message}")
        sys.exit(leave(1))


def _say_once(text: str) -> None:
    """All processes of a distributed training end for the same reason: the first one says it."""
    if _rank() == 0:
        print(text, file=sys.stderr)


def _rank() -> int:
    distributed = _distributed()
    return distributed.get_rank() if distributed is not None else 0


def _distributed() -> ModuleType | None:
    """``torch.distributed`` with a process group; PyTorch is not imported for it."""
    module = sys.modules.get("torch.distributed")
    return module if module is not None and module.is_initialized() else None


def run_tool(main: Callable[[], None]) -> None:
    """Run the main function of a script, with errors as of ``exit_with_message``."""
    with exit_with_message():
        main()


def explain(error: BaseException) -> str | None:
    """The message for an error that a user can mend; None for a fault of the program."""
    if isinstance(error, UserError | DivergedError):
        return _FROM_A_WORKER.sub("", str(error)).strip()
    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        return f"A file is missing or cannot be read. {_last_line(error)}"
    if isinstance(error, OSError):  # which names no file where a write failed
        unwritten = unwritable(Path(error.filename or "."), error)
        return str(unwritten) if unwritten is not error else None
    if isinstance(error, RuntimeError) and (worker := _KILLED_WORKER.search(str(error))):
        return (
            f"A process that loads data was killed by the system (signal {worker[1]}), as happens "
            "when memory runs out. Lower num_workers, prefetch_factor or batch_size of "
            "train_dataloader, or keep fewer data in memory. --resume goes on from the last "
            "checkpoint."
        )
    if isinstance(error, KeyError | TypeError) and _raised_in(error) == "build_from_cfg":
        return f"The config cannot be built: {str(error.args[0]).split('. Please check')[0]}."
    return None


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]


def _raised_in(error: BaseException) -> str:
    """Name of the function that raised, or that made a call whose arguments do not fit."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].name if frames else ""
