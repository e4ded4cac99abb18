"""A record of the step in which a training diverged, for a look at its batch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank, is_main_process
from mmengine.runner import IterBasedTrainLoop, Runner

from cls_kd.engine.hooks.teacher import unwrapped
from cls_kd.files import write_atomically

RECORD = "diverged.json"
"""Name of the record in a run's folder."""


def write_record(runner: Runner, step: int, values: Mapping[str, float]) -> str:
    """Write what is known about a step whose loss is not finite.

    Args:
        runner: May be some steps further.
        step: Number of the step, from 0 on.
        values: Losses, learning rates and figures of the step.

    Returns:
        A sentence for the message.
    """
    record = {
        "epoch": runner.epoch + 1,
        "step": step + 1,
        "values": {name: repr(value) for name, value in values.items()},
        "batch": batch_indices(runner, step),
        "weight_norms_after_step": runner.iter + 1,
        "weight_norms": {
            name: repr(float(value.detach().norm()))
            for name, value in unwrapped(runner).named_parameters()
        },
    }
    name = RECORD if is_main_process() else f"process_{get_rank()}_{RECORD}"
    path = Path(runner.work_dir, name)
    write_atomically(path, json.dumps(record, indent=1))
    return f"{path} has the indices of the step's images, its losses, and the norms of the weights."


def batch_indices(runner: Runner, step: int) -> list[int] | None:
    """Places in the data set of a step's samples, in this process; None where steps are counted.

    The sampler draws by seed and epoch: its batches of this epoch are drawn again.
    """
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return None
    loader = runner.train_dataloader
    position = step - runner.epoch * len(loader)
    batches: Any = iter(loader.batch_sampler)
    batch = next(itertools.islice(batches, position, None), None)
    return None if batch is None else [int(index) for index in batch]
