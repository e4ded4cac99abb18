"""The steps in which values of a training are read, and the histories that they are appended to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import IterBasedTrainLoop, Runner

_KEPT = 1000


class ReadSteps:
    """The steps after which the log, a checkpoint or a validation reads what was measured.

    Attributes:
        kept: Length of a history: one epoch, and at least 1000 steps.

    Args:
        runner: With all its hooks, at the start of a training.
    """

    def __init__(self, runner: Runner) -> None:
        loop = runner.train_loop
        counts_iterations = isinstance(loop, IterBasedTrainLoop)
        validated = [loop.val_interval] if counts_iterations else []  # the history reads there
        self.epoch_length = len(runner.train_dataloader)
        self.kept = max(self.epoch_length, _KEPT, *validated)
        readers = [
            hook
            for hook in runner.hooks
            if isinstance(hook, LoggerHook)
            or (isinstance(hook, CheckpointHook) and not hook.by_epoch)
        ]
        logged = {hook.interval for hook in readers if hook.interval > 0} or {1}
        self.intervals = {*logged, *validated}
        self.last = loop.max_iters

    def reads(self, runner: Runner, batch_idx: int) -> bool:
        """Test for a step after which something is read; the last one of an epoch is."""
        done = (batch_idx + 1, runner.iter + 1)
        due = any(count % interval == 0 for count in done for interval in self.intervals)
        return due or done[0] == self.epoch_length or done[1] == self.last


def extend(runner: Runner, name: str, values: Sequence[float], kept: int) -> None:
    """Append values to a history of the message hub, which keeps the last ``kept`` ones."""
    # Appending one by one copies the whole history each time.
    history = runner.message_hub.log_scalars
    if name not in history:
        runner.message_hub.update_scalar(name, values[0])
        values = values[1:]
    if values:
        old, counts = history[name].data
        history[name] = HistoryBuffer(
            np.append(old, values)[-kept:], np.append(counts, [1] * len(values))[-kept:]
        )
