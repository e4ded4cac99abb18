"""From a config to a list of runs: reading, composition, planning. Needs no network and no torch.

What takes the classes that a config names (the keys that each of them accepts) is checked by
``cls_kd.engine.load_config``, which calls ``load_config`` of this package first.
"""

from cls_kd.runs.compose import apply_options, known_methods, load_config, read_config
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.planning import choose, default_work_dir, expand, plan
from cls_kd.runs.registry import RUN_LISTS
from cls_kd.runs.run import CONFIG, RESULT, Run, check_unchanged, mark_finished, mark_started

__all__ = [
    "CONFIG",
    "RESULT",
    "RUN_LISTS",
    "PlainConfig",
    "Run",
    "apply_options",
    "check_unchanged",
    "choose",
    "default_work_dir",
    "expand",
    "known_methods",
    "load_config",
    "mark_finished",
    "mark_started",
    "plan",
    "read_config",
]
