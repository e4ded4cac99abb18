"""References to the checkpoints of runs: ``'run:NAME'`` and ``'run:NAME@EPOCH'``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cls_kd.errors import UserError

REFERENCE = "run:"
INTERVAL, MAX_KEPT = 1, 2
"""Of the checkpoint hook, where a config does not say."""
_SHOWN = 6


@dataclass(frozen=True)
class CheckpointReference:
    """A reference to a checkpoint of another run.

    Attributes:
        run: Name of the run.
        epoch: The epoch after which it was written; None for the last one of the run.
    """

    run: str
    epoch: int | None

    @classmethod
    def parse(cls, text: str) -> CheckpointReference:
        """Read ``'run:teacher'`` or ``'run:teacher@5'``.

        Raises:
            UserError: What follows ``@`` is no epoch.
        """
        name, separator, epoch = text.removeprefix(REFERENCE).partition("@")
        if separator and not (epoch.isdecimal() and int(epoch) > 0):
            raise UserError(
                f"{text!r} names no epoch: write 'run:{name}@5' for the checkpoint after the fifth "
                f"epoch, or 'run:{name}' for the last one."
            )
        return cls(name, int(epoch) if separator else None)


def check_kept(reference: CheckpointReference, title: str, cfg: Mapping[str, Any]) -> None:
    """Refuse a reference to a checkpoint that a run will not write, or will have removed.

    Args:
        reference: The reference.
        title: Of the run that refers.
        cfg: The config of the run that is referred to.

    Raises:
        UserError: Which epochs it keeps, and what to set to keep them all.
    """
    if reference.epoch is None:
        return
    epochs = kept_epochs(cfg)
    if reference.epoch in epochs:
        return
    shown = ", ".join(str(epoch) for epoch in epochs[-_SHOWN:]) or "none"
    more = "..., " if len(epochs) > _SHOWN else ""
    raise UserError(
        f"The run {title} refers to 'run:{reference.run}@{reference.epoch}', and {reference.run} "
        f"keeps no checkpoint of epoch {reference.epoch}, but those of the epochs {more}{shown}. "
        "To keep all: default_hooks=dict(checkpoint=dict(interval=1, max_keep_ckpts=-1)) in "
        f"{reference.run}."
    )


def kept_epochs(cfg: Mapping[str, Any]) -> list[int]:
    """The epochs whose checkpoints a run leaves; none where it is trained by iterations."""
    train = cfg.get("train_cfg") or {}
    hook = (cfg.get("default_hooks") or {}).get("checkpoint") or {}
    epochs = train.get("max_epochs")
    if not isinstance(epochs, int) or not hook.get("by_epoch", True):
        return []
    interval, most = hook.get("interval", INTERVAL), hook.get("max_keep_ckpts", MAX_KEPT)
    written = [epoch for epoch in range(1, epochs) if interval > 0 and epoch % interval == 0]
    written.append(epochs)
    return written[-most:] if most > 0 else written


def file_name(epoch: int) -> str:
    """Of the checkpoint after an epoch."""
    return f"epoch_{epoch}.pth"
