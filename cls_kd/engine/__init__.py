"""From planned runs to trained ones: data loaders, the runner and its hooks, executors of runs.

Reading and planning are in ``cls_kd.runs``; its public names are repeated here.
"""

import cls_kd.registry  # noqa: F401  first: it silences what mmpretrain prints when imported
from cls_kd.engine.configs import load_config
from cls_kd.engine.execute import InProcessExecutor, train_runs
from cls_kd.engine.runner import DistillRunner
from cls_kd.engine.train import build_runner, train
from cls_kd.runs import (
    Run,
    apply_options,
    check_unchanged,
    choose,
    default_work_dir,
    expand,
    known_methods,
    plan,
    read_config,
)

__all__ = [
    "DistillRunner",
    "InProcessExecutor",
    "Run",
    "apply_options",
    "build_runner",
    "check_unchanged",
    "choose",
    "default_work_dir",
    "expand",
    "known_methods",
    "load_config",
    "plan",
    "read_config",
    "train",
    "train_runs",
]
