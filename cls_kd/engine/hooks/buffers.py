"""All processes evaluate the network that is saved."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.dist import broadcast, is_distributed
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch import Tensor

from cls_kd.registry import HOOKS


@HOOKS.register_module()
class BroadcastBuffersHook(Hook):
    """Gives every process the buffers (batch norm's statistics) of the first before validation.

    Each process gathers statistics of its own part of each batch, and the checkpoint holds those of
    the first: without this the metrics would be of several networks, and others after a resume.
    Averaged models (``EMAHook``) have buffers of their own, which are treated likewise.
    """

    priority = "VERY_HIGH"

    def before_val_epoch(self, runner: Runner) -> None:
        """Copy."""
        if is_distributed():
            for buffer in _buffers(runner):
                broadcast(buffer)


def _buffers(runner: Runner) -> Iterator[Tensor]:
    yield from runner.model.buffers()
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            yield from hook.ema_model.buffers()
