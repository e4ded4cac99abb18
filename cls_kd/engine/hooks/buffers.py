"""All processes validate the network that is saved."""

from __future__ import annotations

from mmengine.dist import broadcast, is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.registry import HOOKS


@HOOKS.register_module()
class SameBuffersHook(Hook):
    """Gives every process the buffers (batch norm's statistics) of the first before validation.

    Each process gathers statistics of its own share of the data, and the checkpoint holds those of
    the first: without this the metrics would be of several networks, and others after a resume.
    """

    priority = "VERY_HIGH"

    def before_val_epoch(self, runner: Runner) -> None:
        """Copy."""
        if is_distributed():
            for buffer in runner.model.buffers():
                broadcast(buffer)
