"""The table of commands, and the entry point that calls one of them.

A module of a command has

- ``EXAMPLES``: command lines, shown at the end of its ``--help``;
- ``add_arguments(parser)``: declares arguments and options;
- ``run(args)``: does it, and returns the exit code; None stands for 0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import cls_kd
from cls_kd.cli.failures import exit_with_message
from cls_kd.errors import did_you_mean


class Command(NamedTuple):
    """A command of ``cls-kd``.

    Attributes:
        module: Name of its module in ``cls_kd.cli``.
        summary: One line for ``--help``.
    """

    module: str
    summary: str


COMMANDS = {
    "train": Command("train", "Train a config's run, or its list of runs."),
    "launch": Command("launch", "Run a command in several processes; lost ones are restarted."),
    "sweep": Command("sweep", "Train pairs with methods and seeds, and report on each pair."),
    "tune": Command("tune", "Search the settings of a method on the validation split."),
    "choose": Command("choose", "Find the methods that cannot be told from the best, in a budget."),
    "status": Command(
        "status", "Show which runs of a sweep, tune or choose are finished or failed."
    ),
    "test": Command("test", "Evaluate a student's checkpoint, or the teachers of a config."),
    "predict": Command("predict", "Classify images with a trained or exported student."),
    "analyze": Command("analyze", "Analyze finished runs beyond accuracy."),
    "diagnose": Command("diagnose", "Find out why a distillation did not gain."),
    "report": Command("report", "Write the report of finished runs."),
    "export": Command(
        "export", "Export a trained student: mmpretrain, safetensors, ONNX, PyTorch."
    ),
    "convert": Command("convert", "Convert a published checkpoint to the names of our networks."),
    "methods": Command("methods", "List the losses: inputs, defaults, papers, method configs."),
    "benchmarks": Command("benchmarks", "List the benchmarks with their published accuracy."),
    "reproduce": Command(
        "reproduce", "Train a benchmark with several seeds and compare with its published result."
    ),
    "config": Command("config", "Print a config after inheritance, method and options."),
    "store": Command("store", "List or remove the stored outputs of teachers."),
    "check-data": Command(
        "check_data", "Check a config's data for unreadable or duplicate images."
    ),
}
_EPILOG = "`cls-kd COMMAND --help` describes a command and shows examples."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``cls-kd``.

    Args:
        arguments: Words of the command line after ``cls-kd``. Default: those of this process.

    Raises:
        SystemExit: With the exit code, unless it is 0: 1 for an error that the user can mend, 2
            for a wrong command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with exit_with_message():
        chosen = words[0] if words and words[0] in COMMANDS else None
        module = command_module(chosen) if chosen else None
        args = build_parser(words, module).parse_args(words)
        code = module.run(args) if module else None
    if code:
        sys.exit(code)


def command_module(name: str) -> ModuleType:
    """The module of a command, imported."""
    return import_module(f"cls_kd.cli.{COMMANDS[name].module}")


def build_parser(words: Sequence[str], module: ModuleType | None) -> argparse.ArgumentParser:
    """The parser of ``cls-kd``, with the arguments of the chosen command alone."""
    parser = argparse.ArgumentParser("cls-kd", epilog=_EPILOG)
    parser.description = (cls_kd.__doc__ or "").splitlines()[0]
    parser.add_argument("--version", action="version", version=f"cls_kd {cls_kd.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for name, command in COMMANDS.items():
        added = commands.add_parser(name, help=command.summary, description=command.summary)
        if module is not None and name == words[0]:
            added.formatter_class = argparse.RawDescriptionHelpFormatter
            added.epilog = "\n  ".join(["examples:", *module.EXAMPLES])
            module.add_arguments(added)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        parser.error(f"there is no command {words[0]!r}.{did_you_mean(words[0], COMMANDS)}")
    return parser
