"""Batch samplers that methods need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cls_kd.errors import UserError
from cls_kd.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class LastBatchSampler:
    """Batches of which the first half is the last half of the batch before.

    A window of ``batch_size`` over the order of a sampler, moved by half of it: each sample comes
    twice, in two batches that follow each other, but for the first and the last half batch of an
    epoch. So an epoch has about twice the steps. Shuffling, the seed of the epoch and the samples
    of this process are the sampler's::

        train_dataloader = dict(
            sampler=dict(type=DefaultSampler, shuffle=True),
            batch_sampler=dict(type=LastBatchSampler),
            batch_size=64,
        )

    Args:
        sampler: Gives the order.
        batch_size: Of one process; even.
        drop_last: Leave out a last batch that is not full.
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool = False) -> None:
        if not isinstance(batch_size, int) or batch_size < 2 or batch_size % 2:
            raise UserError(
                f"LastBatchSampler repeats half of each batch: batch_size={batch_size!r} must be "
                "an even number."
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        half, window, seen = self.batch_size // 2, [], 0
        for index in self.sampler:
            window.append(index)
            if len(window) == self.batch_size:
                yield window
                window, seen = window[half:], half
        if len(window) > seen and not self.drop_last:
            yield window

    def __len__(self) -> int:
        half = self.batch_size // 2
        fresh = max(len(self.sampler) - half, 0)  # what comes after the first half batch
        if self.drop_last:
            return fresh // half
        return max(-(-fresh // half), min(len(self.sampler), 1))
