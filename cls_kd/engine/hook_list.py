"""The hooks of a run: MMEngine's and this project's defaults, changed, dropped or added to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import (
    CheckpointHook,
    DistSamplerSeedHook,
    Hook,
    IterTimerHook,
    LoggerHook,
    ParamSchedulerHook,
)

from cls_kd.engine.hooks import (
    BroadcastBuffersHook,
    BufferedRuntimeInfoHook,
    BufferedTimerHook,
    EpochSeedHook,
    HistoryHook,
    MissedValidationHook,
    PreemptionHook,
    RunSummaryHook,
    SafeCheckpointHook,
    TeacherHook,
    TrainingTimeHook,
)
from cls_kd.errors import UserError
from cls_kd.registry import HOOKS, resolve
from cls_kd.runs.checkpoints import INTERVAL, MAX_KEPT

DEFAULTS: dict[str, dict[str, Any]] = {
    "runtime_info": {"type": BufferedRuntimeInfoHook},
    "timer": {"type": BufferedTimerHook},
    "sampler_seed": {"type": DistSamplerSeedHook},
    "logger": {"type": LoggerHook},
    "param_scheduler": {"type": ParamSchedulerHook},
    "checkpoint": {
        "type": SafeCheckpointHook,
        "interval": INTERVAL,
        "max_keep_ckpts": MAX_KEPT,
    },
    "epoch_seed": {"type": EpochSeedHook},
    "run_summary": {"type": RunSummaryHook},
    "teacher": {"type": TeacherHook},
    "broadcast_buffers": {"type": BroadcastBuffersHook},
    "history": {"type": HistoryHook},
    "missed_validation": {"type": MissedValidationHook},
    "training_time": {"type": TrainingTimeHook},
    "preemption": {"type": PreemptionHook},
}
"""Name in ``default_hooks`` to the config of a hook, in the order of registration."""

_ESSENTIAL = {
    "runtime_info": "the log and the checkpoints read the epoch and the losses from it",
    "training_time": "the weight schedules of losses and augmentations read the epoch from it",
    "checkpoint": (
        "result.json, --resume and 'run:NAME' need the last checkpoint (interval=-1 writes only "
        "that one)"
    ),
    "history": "result.json and the reports are made from it",
}


def complete_hooks(changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The default hooks of a run.

    Args:
        changes: ``default_hooks`` of a config. An entry without a ``type`` changes the options of
            the default hook of that name; None drops the hook.

    Returns:
        Name to config (or hook), dropped ones left out.
    """
    hooks: dict[str, Any] = {**DEFAULTS}
    for name, hook in (changes or {}).items():
        inherits = isinstance(hook, Mapping) and "type" not in hook and name in DEFAULTS
        hooks[name] = {"type": DEFAULTS[name]["type"], **hook} if inherits else hook
    checkpoint = hooks["checkpoint"]
    if isinstance(checkpoint, Mapping) and resolve(HOOKS, checkpoint.get("type")) is CheckpointHook:
        # The same options; it also survives a kill and saves where training stops early.
        hooks["checkpoint"] = {**checkpoint, "type": SafeCheckpointHook}
    timer = hooks["timer"]
    if isinstance(timer, Mapping) and resolve(HOOKS, timer.get("type")) is IterTimerHook:
        hooks["timer"] = {**timer, "type": BufferedTimerHook}  # the same values
    return {name: hook for name, hook in hooks.items() if hook is not None}


def acts(hook: Any, stage: str) -> bool:
    """Test for a hook that does something at a stage, such as ``'after_train_iter'``.

    The methods of MMEngine's base class do nothing, unless one that they call is overridden.
    """
    if not hasattr(hook, stage):
        return False
    known = isinstance(hook, Hook) and stage in Hook.stages
    return not known or stage in vars(hook) or stage in hook.get_triggered_stages()


def check_hooks(cfg: Config) -> None:
    """Refuse hooks that cannot be built, and dropped ones that the engine cannot do without.

    Raises:
        UserError: Which hook, and why.
    """
    changes = cfg.get("default_hooks") or {}
    for name, reason in _ESSENTIAL.items():
        if changes.get(name, {}) is None:
            raise UserError(f"default_hooks.{name} cannot be None: {reason}.")
    if changes.get("param_scheduler", {}) is None and cfg.get("param_scheduler"):
        raise UserError(
            "default_hooks.param_scheduler is None, so that param_scheduler would never take "
            "effect. For constant rates set param_scheduler=None instead."
        )
    _check_checkpoint(changes.get("checkpoint", {}))
    hooks = complete_hooks(changes)
    for name, hook in hooks.items():
        _try(f"default_hooks.{name}", hook)
    for position, hook in enumerate(cfg.get("custom_hooks") or []):
        _try(f"custom_hooks[{position}]", hook)


def _check_checkpoint(options: Any) -> None:
    if not isinstance(options, Mapping):
        return
    if not options.get("save_last", True):
        raise UserError(
            "default_hooks.checkpoint.save_last must stay True: result.json names the checkpoint "
            "of the weights that were tested. max_keep_ckpts=1 keeps only that one."
        )
    if options.get("out_dir") is not None:
        raise UserError(
            "default_hooks.checkpoint.out_dir cannot be set: --resume and 'run:NAME' look for "
            "checkpoints in the work dir of the run. Use --work-dir."
        )


def _try(where: str, hook: Any) -> None:
    """Build a hook, for its errors only: the runner builds its own once files are written."""
    if not isinstance(hook, Mapping):
        return
    if "type" not in hook:
        raise UserError(f"{where} has no type.")
    try:
        HOOKS.build({key: value for key, value in hook.items() if key != "priority"})
    except (AssertionError, ImportError, KeyError, TypeError, ValueError) as error:
        kind = getattr(hook["type"], "__name__", hook["type"])
        reason = error.args[0] if error.args else type(error).__name__
        raise UserError(f"{where} ({kind}) cannot be built: {reason}") from error
