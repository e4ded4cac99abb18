"""Which row of a store belongs to a sample: by its crop, or by the epoch that drew it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from cls_kd.signals.time import TrainingTime


class Addressing(Protocol):
    """From a sample and the training time to a row.

    Attributes:
        rows: Number of rows of a block.
        blocks: Number of blocks of the whole training; each is a file of its own.
    """

    rows: int
    blocks: int

    def block(self, time: TrainingTime) -> str:
        """Name of the block that is read at this time."""

    def slots(self, index: Tensor, time: TrainingTime) -> Tensor:
        """Rows of samples, given their indices in the data set; both (N,) int64."""

    def parts(self) -> Mapping[str, Any]:
        """Description for the key: everything that tells one meaning of a row from another."""


class ByOutcome:
    """A row for each sample and each outcome of its augmentation, of whatever seed and epoch.

    Args:
        images: Length of the data set.
        outcomes: Number of outcomes of the augmentation.
        outcome_of: The outcomes, (N,) int64 from 0, of samples with these indices at a time.
    """

    blocks = 1

    def __init__(
        self, images: int, outcomes: int, outcome_of: Callable[[Tensor, TrainingTime], Tensor]
    ) -> None:
        self.images, self.outcomes, self.outcome_of = images, outcomes, outcome_of
        self.rows = images * outcomes

    def block(self, time: TrainingTime) -> str:
        """See `Addressing`."""
        return "all"

    def slots(self, index: Tensor, time: TrainingTime) -> Tensor:
        """See `Addressing`."""
        return index * self.outcomes + self.outcome_of(index, time)

    def parts(self) -> Mapping[str, Any]:
        """See `Addressing`."""
        return {"by": "outcome", "images": self.images, "outcomes": self.outcomes}


class ByEpoch:
    """A row for each sample in each epoch of a seed.

    Args:
        images: Length of the data set.
        epochs: Length of the training.
        seed: What, with the epoch and the index, decides all random draws.
        batches: Description of how batches are made, where images of a batch are mixed.
    """

    def __init__(
        self, images: int, epochs: int, seed: int, batches: Mapping[str, Any] | None = None
    ) -> None:
        self.rows, self.blocks = images, epochs
        self.seed, self.batches = seed, dict(batches or {})

    def block(self, time: TrainingTime) -> str:
        """See `Addressing`."""
        return f"epoch_{time.epoch:04d}"

    def slots(self, index: Tensor, time: TrainingTime) -> Tensor:
        """See `Addressing`."""
        return index

    def parts(self) -> Mapping[str, Any]:
        """See `Addressing`. The number of epochs is no part: a longer training reads the rows."""
        return {"by": "epoch", "images": self.rows, "seed": self.seed, "batches": self.batches}
