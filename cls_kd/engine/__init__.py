"""From a config to trained runs: composition, the runner, its hooks."""

from cls_kd.engine.compat import forbid_unpickling
from cls_kd.engine.compose import load_config
from cls_kd.engine.runner import DistillRunner
from cls_kd.engine.runs import Run, check_unchanged, plan
from cls_kd.engine.train import build_runner, train

forbid_unpickling()

__all__ = [
    "DistillRunner",
    "Run",
    "build_runner",
    "check_unchanged",
    "load_config",
    "plan",
    "train",
]
