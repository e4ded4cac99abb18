"""Arguments and options that several commands share."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mmengine.config import DictAction

from cls_kd.engine.compat import init_distributed
from cls_kd.runs.cohorts import MAX_MEMBERS

_CONFIG = "path of a config, or the name of a packaged one: digits/demo"


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
        for word in values:
            if not word.partition("=")[1] or word.startswith("="):
                parser.error(f"{option_string}: {word!r} is not of the form KEY=VALUE")
        super().__call__(parser, namespace, values, option_string)


def add_config(parser: argparse.ArgumentParser) -> None:
    """``CONFIG`` and ``--cfg-options``."""
    parser.add_argument("config", help=_CONFIG)
    add_config_options(parser)


def add_config_or_benchmark(parser: argparse.ArgumentParser) -> None:
    """``CONFIG``, or ``--benchmark CELL`` in its place, and ``--cfg-options``."""
    parser.add_argument("config", nargs="?", help=_CONFIG)
    parser.add_argument(
        "--benchmark",
        metavar="CELL",
        help="in place of a config: a row that `cls-kd benchmarks` lists, dkd/cifar100/vgg13_vgg8",
    )
    add_config_options(parser)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """``--cfg-options KEY=VALUE ...``, as everywhere in OpenMMLab."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=KeyValues,
        metavar="KEY=VALUE",
        help="change the config: train_cfg.max_epochs=5 model.losses.kd.temperature=2",
    )


def add_method(parser: argparse.ArgumentParser) -> None:
    """``--method NAME``."""
    parser.add_argument(
        "--method", metavar="NAME", help="replace the losses by those of configs/methods/NAME.py"
    )


def add_run(parser: argparse.ArgumentParser, effect: str) -> None:
    """``--run NAME``.

    Args:
        parser: Of the command.
        effect: What the option does there.
    """
    parser.add_argument(
        "--run",
        metavar="NAME[/seed_K]",
        help=f"{effect}; of several seeds the last, or NAME/seed_K",
    )


def add_work_dir(parser: argparse.ArgumentParser, content: str) -> None:
    """``--work-dir DIR``.

    Args:
        parser: Of the command.
        content: What is in the folder.
    """
    parser.add_argument(
        "--work-dir", metavar="DIR", help=f"{content}; default: work_dirs/ and the config's name"
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """``--launcher``, for commands that several processes may run."""
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="what started the processes of this training or test; default: %(default)s",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=300.0,
        help="longest time that processes wait for each other in a step; default: 5m",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """``--jobs N``."""
    parser.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="worker processes, each with a part of the CPU threads and a GPU; default: this one",
    )


def add_together(parser: argparse.ArgumentParser, default: int | None, text: str) -> None:
    """``--together [N]``.

    Args:
        parser: Gets the option.
        default: Number of runs without the option.
        text: What is trained together by default.
    """
    parser.add_argument(
        "--together",
        nargs="?",
        type=positive,
        const=MAX_MEMBERS,
        default=default,
        metavar="N",
        help="train runs of the same batches and teacher side by side, up to N of them "
        f"({MAX_MEMBERS} without a number), on one pass of the teacher; {text}",
    )


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Type of an option: a time with its unit, ``90s``, ``30m``, ``1.5h`` or ``2d``."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.replace(".", "", 1).isdigit() or float(number) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 90s, 30m or 8h")
    return float(number) * _UNITS[unit]


def positive(text: str) -> int:
    """Type of an option: a whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def fraction(text: str) -> float:
    """Type of an option: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def names(text: str) -> list[str]:
    """Type of an option: names, separated by commas."""
    return [name for name in text.split(",") if name]


def seed_list(text: str) -> list[int]:
    """Type of an option: seeds, ``0-4`` or ``0,2,5``, or both: ``0-2,7``."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.isdigit() and (last.isdigit() or not dash)):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form 0-4 or 0,2,5")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice, or none")
    return seeds


def join_processes(args: argparse.Namespace) -> None:
    """Join the process group of ``add_launcher``'s options, if there is one."""
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    init_distributed(args.launcher, args.timeout)
