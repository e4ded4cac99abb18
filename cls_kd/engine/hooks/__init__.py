"""Hooks of the runner; ``configs/_base_/runtime.py`` puts them in place."""

from cls_kd.engine.hooks.checkpoint import SafeCheckpointHook
from cls_kd.engine.hooks.epoch_seed import EpochSeedHook
from cls_kd.engine.hooks.history import HistoryHook, MissedValidationHook
from cls_kd.engine.hooks.runtime_info import BundledRuntimeInfoHook
from cls_kd.engine.hooks.teacher import TeacherHook

__all__ = [
    "BundledRuntimeInfoHook",
    "EpochSeedHook",
    "HistoryHook",
    "MissedValidationHook",
    "SafeCheckpointHook",
    "TeacherHook",
]
