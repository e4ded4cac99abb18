"""Going on with a run for longer than it was planned: what that means, and where it is refused."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from cls_kd.core import Term
from cls_kd.engine.loops import planned_length
from cls_kd.engine.schedule import play, restart_schedule, scheduler_configs
from cls_kd.errors import UserError
from cls_kd.modules.schedules import Constant
from cls_kd.registry import resolve
from cls_kd.runs import CONFIG, Run

_OF_LENGTH = ("progress", "max_epochs")
"""Signals that depend on the length of the whole training."""


def is_extended(run: Run) -> bool:
    """Test for a finished run whose config now differs only in a longer training."""
    result, dumped = run.result(), run.work_dir / CONFIG
    if result is None or not dumped.is_file():
        return False
    before = dumped.read_text()
    past, now = _train_cfg(before), dict(run.cfg.get("train_cfg") or {})
    for key in ("max_epochs", "max_iters"):
        old, new = past.get(key), now.get(key)
        if isinstance(old, int) and isinstance(new, int) and new > old:
            shorter = copy.deepcopy(run)
            shorter.cfg.train_cfg[key] = old
            return shorter.text() == before and shorter.digest() == result.get("digest")
    return False


def _train_cfg(text: str) -> dict[str, Any]:
    """``train_cfg`` of a dumped config, which is read and not run."""
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and _names(statement) == ["train_cfg"]:
                value = ast.literal_eval(statement.value)
                return value if isinstance(value, dict) else {}
    except (SyntaxError, ValueError):
        pass  # Somebody else's file: then it is not the config of a shorter run.
    return {}


def _names(assignment: ast.Assign) -> list[str]:
    return [ast.unparse(target) for target in assignment.targets]


def check_extension(
    cfg: Config,
    optimizer: OptimWrapper,
    terms: Mapping[str, Term],
    checkpoint: Mapping[str, Any],
    epoch_length: int,
) -> None:
    """Refuse to go on with another length than planned, unless nothing so far depended on it.

    An extended run is then exactly a run that was planned with the new length.

    Args:
        cfg: A resolved config, with the new length.
        optimizer: Filled from the checkpoint, as a trial; its learning rates are changed here.
        terms: Of the distiller.
        checkpoint: What training goes on from.
        epoch_length: Iterations of one epoch.

    Raises:
        UserError: What depends on the length, and what can be done instead.
    """
    key, new = planned_length(cfg.train_cfg)
    old = checkpoint["message_hub"].get("runtime_info", {}).get(key)
    if old is None or int(old) == new:
        return
    change = f"train_cfg.{key} was {old} when the run began and is {new} now"
    for reason in (
        _of_terms(terms),
        _of_schedule(cfg, optimizer, checkpoint["meta"], int(old), epoch_length),
    ):
        if reason:
            raise UserError(
                f"{change}, and the run cannot be extended: {reason}\nTrain anew with the new "
                "length (--restart, or another --work-dir), or start a new run from the weights: "
                "model.student_weights='<path of the checkpoint>'."
            )


def _of_terms(terms: Mapping[str, Term]) -> str:
    for name, term in terms.items():
        asked = [signal for signal in term.loss.signals if signal in _OF_LENGTH]
        if asked:
            return f"the loss {name!r} asks for {asked[0]!r}, which depends on the whole length."
        if not isinstance(term.weight, Constant):
            schedule = type(term.weight).__name__
            return f"the weight of the loss {name!r} follows {schedule} over the whole length."
    return ""


def _of_schedule(
    cfg: Config, optimizer: OptimWrapper, meta: Mapping[str, Any], old: int, epoch_length: int
) -> str:
    """Why the learning rates do not allow it, or an empty text."""
    if not isinstance(optimizer, OptimWrapper) or not hasattr(optimizer, "optimizer"):
        return "it has several optimizers."
    if any(
        getattr(resolve(PARAM_SCHEDULERS, config["type"]), "need_val_args", False)
        for config in scheduler_configs(cfg)
    ):
        return "its learning rate follows validation metrics."
    key, new = planned_length(cfg.train_cfg)
    unit = 1 if key == "max_iters" else epoch_length
    before, after = (
        play(
            restart_schedule(cfg, optimizer, length=length, epoch_length=epoch_length),
            optimizer,
            iterations=length * unit,
            epoch_length=epoch_length,
        )
        for length in (old, new)
    )
    for step, (was, would_be) in enumerate(zip(before[: meta["iter"]], after, strict=False)):
        if not math.isclose(was, would_be, rel_tol=1e-9):
            return (
                f"the learning rate depends on the length (in iteration {step + 1} it was "
                f"{was:.4g}, and is {would_be:.4g} in a run planned with {new})."
            )
    added = after[len(before) :]
    negligible = 1e-6 * max(before)
    if added and max(added) > before[-1] + negligible:
        return (
            f"the learning rate has come down to {before[-1]:.4g} and would rise again to "
            f"{max(added):.4g}: param_scheduler says T_max or end for the old length."
        )
    if added and max(added) <= negligible:
        return "the learning rate would stay at 0."
    return ""
