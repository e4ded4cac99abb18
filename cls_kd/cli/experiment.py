"""From the arguments of a command to a config and its work dir."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.engine import load_config
from cls_kd.errors import UserError
from cls_kd.runs import Run, default_work_dir, plan
from cls_kd.runs.config_names import find_config


@dataclass(frozen=True)
class Experiment:
    """A config as the command line changes it, and where its runs are.

    Attributes:
        cfg: The config.
        work_dir: Folder of its runs.
    """

    cfg: Config
    work_dir: Path

    def runs(self) -> list[Run]:
        """The runs of the config, in order.

        Raises:
            UserError: See ``plan``.
        """
        return plan(self.cfg, self.work_dir)


def open_config(args: argparse.Namespace, **changes: Any) -> Config:
    """The config that ``CONFIG``, ``--method`` and ``--cfg-options`` describe.

    Args:
        args: Of a command. One without ``--method`` has no method.
        **changes: Further arguments of ``load_config``.

    Raises:
        UserError: See ``find_config`` and ``load_config``.
    """
    method = getattr(args, "method", None)
    args.config, args.benchmark = _config_name(args), None
    return load_config(find_config(args.config), method=method, options=args.cfg_options, **changes)


def _config_name(args: argparse.Namespace) -> str:
    benchmark = getattr(args, "benchmark", None)
    if (args.config is None) == (benchmark is None):
        raise UserError("Name one config: CONFIG, or --benchmark METHOD/DATA/PAIR.")
    return args.config if benchmark is None else f"benchmarks/{benchmark}"


def open_experiment(args: argparse.Namespace, **changes: Any) -> Experiment:
    """The config, and its work dir: ``--work-dir``, that of the config, or the default.

    Args:
        args: Of a command with ``--work-dir``.
        **changes: Further arguments of ``load_config``.

    Raises:
        UserError: See ``open_config``.
    """
    cfg = open_config(args, **changes)
    default = default_work_dir(find_config(args.config), args.method, cfg)
    return Experiment(cfg, Path(args.work_dir or cfg.get("work_dir") or default))
