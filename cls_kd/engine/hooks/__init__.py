"""Hooks of the runner, which puts them in place: ``DistillRunner.register_default_hooks``."""

from cls_kd.engine.hooks.buffers import BroadcastBuffersHook
from cls_kd.engine.hooks.checkpoint import SafeCheckpointHook
from cls_kd.engine.hooks.epoch_seed import EpochSeedHook
from cls_kd.engine.hooks.history import HistoryHook, MissedValidationHook
from cls_kd.engine.hooks.preemption import PreemptionHook
from cls_kd.engine.hooks.run_summary import RunSummaryHook
from cls_kd.engine.hooks.runtime_info import BufferedRuntimeInfoHook
from cls_kd.engine.hooks.teacher import TeacherHook
from cls_kd.engine.hooks.timer import BufferedTimerHook
from cls_kd.engine.hooks.training_time import TrainingTimeHook

__all__ = [
    "BroadcastBuffersHook",
    "BufferedRuntimeInfoHook",
    "BufferedTimerHook",
    "EpochSeedHook",
    "HistoryHook",
    "MissedValidationHook",
    "PreemptionHook",
    "RunSummaryHook",
    "SafeCheckpointHook",
    "TeacherHook",
    "TrainingTimeHook",
]
