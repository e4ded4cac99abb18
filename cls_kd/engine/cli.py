"""What all command-line tools share: errors for people, options in MMEngine's form."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mmengine.config import DictAction

from cls_kd.errors import DivergedError, UserError

_FROM_A_WORKER = re.compile(r"\ACaught \w+ in .*?^(?:[\w.]+\.)?(?:UserError): ", re.S | re.M)
"""What PyTorch puts before the message of an error from a loader's worker: its traceback."""


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool; an error that a user can mend is one message, no traceback, exit code 1."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted. --resume goes on from the last checkpoint.")
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)


def explain(error: BaseException) -> str | None:
    """The message for an error that a user can mend; None for a fault of the program."""
    if isinstance(error, UserError | DivergedError):
        return _FROM_A_WORKER.sub("", str(error)).strip()
    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        return f"A file is missing or cannot be read. {_last_line(error)}"
    if isinstance(error, KeyError | TypeError) and _raised_in(error) == "build_from_cfg":
        return f"The config cannot be built: {str(error.args[0]).split('. Please check')[0]}."
    return None


class KeyValues(DictAction):
    """``--option KEY=VALUE ...``: MMEngine's, with a message for what is not of that form."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Refuse what is no KEY=VALUE."""
        for one in values:
            if not one.partition("=")[1] or one.startswith("="):
                parser.error(f"{option_string}: {one!r} is not of the form KEY=VALUE")
        super().__call__(parser, namespace, values, option_string)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """``--cfg-options key=value ...``, as everywhere in OpenMMLab."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=KeyValues,
        metavar="KEY=VALUE",
        help="change the config: train_cfg.max_epochs=5 model.losses.kd.temperature=2",
    )


def parse_launched(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line of a tool that several processes may run, as launchers call it."""
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]


def _raised_in(error: BaseException) -> str:
    """Name of the function that raised, or that made a call whose arguments do not fit."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].name if frames else ""
