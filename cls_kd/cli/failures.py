"""Errors at the command line: one message and an exit code in place of a traceback."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cls_kd.errors import DivergedError, PreemptedError, UserError

REQUEUE = 75
"""Exit code of a training that a signal has ended: EX_TEMPFAIL of sysexits.h."""

_FROM_A_WORKER = re.compile(r"\ACaught \w+ in .*?^(?:[\w.]+\.)?(?:UserError): ", re.S | re.M)
"""Prefix that PyTorch puts before an error of a loader's worker: the worker's traceback."""


@contextmanager
def exit_with_message() -> Iterator[None]:
    """Turn an error that a user can mend into one message on stderr and exit code 1."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("Interrupted. --resume goes on from the last checkpoint.")
    except PreemptedError as error:
        print(f"Interrupted: {error}", file=sys.stderr)
        sys.exit(REQUEUE)
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)


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
    if isinstance(error, KeyError | TypeError) and _raised_in(error) == "build_from_cfg":
        return f"The config cannot be built: {str(error.args[0]).split('. Please check')[0]}."
    return None


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]


def _raised_in(error: BaseException) -> str:
    """Name of the function that raised, or that made a call whose arguments do not fit."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].name if frames else ""
