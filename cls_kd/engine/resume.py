"""Checks of a checkpoint to resume from, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.optim import OptimWrapper, OptimWrapperDict
from rich.console import Console
from torch import nn

from cls_kd.digests import is_damaged
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.weights import check_match
from cls_kd.errors import UserError
from cls_kd.runs import Run
from cls_kd.runs.cohorts import last_step


def check_resumable(
    model: nn.Module, optimizer: OptimWrapper | OptimWrapperDict, source: str
) -> dict[str, Any]:
    """Refuse a checkpoint that training cannot go on from.

    Args:
        model: The distiller.
        optimizer: Filled from the checkpoint, as a trial.
        source: The checkpoint.

    Returns:
        What is in the checkpoint.

    Raises:
        UserError: It is damaged, of another model or optimizer, or holds weights only.
    """
    checkpoint = read_checkpoint(source)
    weights = weights_in(checkpoint, source)
    check_match(model, model.state_dict(), weights, source)
    if not _has_state(checkpoint):
        raise UserError(
            f"The checkpoint {source} holds weights and no state of a training (epoch, optimizer, "
            "log): it can be where a student starts, as model.student_weights, but not be resumed."
        )
    try:
        optimizer.load_state_dict(checkpoint["optimizer"])
    except Exception as error:
        # Whatever goes wrong, it is the file that does not fit.
        raise UserError(
            f"The checkpoint {source} was written with another optimizer: {error}"
        ) from error
    return checkpoint


def saved_step(run: Run) -> int:
    """The epoch or iteration of a run's last checkpoint; inside an epoch, its steps, below 0.

    Args:
        run: With a checkpoint or not; then 0.
    """
    step = last_step(run)
    if step or not (run.work_dir / "last_checkpoint").is_file():
        return step
    return -int(read_checkpoint(run.checkpoint())["meta"]["iter"])


def intact_checkpoint(run: Run) -> str:
    """The last checkpoint of a run; where that is damaged, the one before it.

    Raises:
        UserError: All of them are damaged.
    """
    last = Path(run.checkpoint())
    if last.is_file() and not is_damaged(last):
        return str(last)
    others = sorted(run.work_dir.glob("*.pth"), key=lambda path: path.stat().st_mtime, reverse=True)
    intact = next((path for path in others if path != last and not is_damaged(path)), None)
    state = "is damaged (its SHA-256 is another than when it was written)"
    if not last.is_file():
        state = "is missing"
    if intact is None:
        raise UserError(
            f"The last checkpoint of the run {run.title}, {last}, {state}, and there is no other. "
            "--restart trains the run anew."
        )
    Console(stderr=True, quiet=not is_main_process()).print(
        f"The checkpoint {last} {state}: {run.title} goes on from {intact.name}.",
        highlight=False,
        soft_wrap=True,
    )
    return str(intact)


def _has_state(checkpoint: Mapping[str, Any]) -> bool:
    meta = checkpoint.get("meta")
    return (
        isinstance(meta, Mapping)
        and all(isinstance(meta.get(key), int) for key in ("epoch", "iter"))
        and all(isinstance(checkpoint.get(key), Mapping) for key in ("message_hub", "optimizer"))
    )
