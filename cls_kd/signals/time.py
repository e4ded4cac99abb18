"""The training time: which epoch and step it is, and how many there will be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TrainingTime:
    """Position in a training, read by losses, weight schedules and augmentations.

    The distiller owns one (``distiller.time``). MMEngine's runner sets it through a hook; a
    training loop of your own assigns the attributes that its losses need.

    Attributes:
        epoch: Completed epochs.
        max_epochs: Epochs of the whole training; 1 where training counts iterations.
        step: Completed iterations, over all epochs.
        max_steps: Iterations of the whole training; 0 where it is unknown.
        seed: Seed of the training.
    """

    epoch: int = 0
    max_epochs: int = 1
    step: int = 0
    max_steps: int = 0
    seed: int = 0

    @property
    def progress(self) -> float:
        """Completed fraction of all iterations, in [0, 1]; 0 where ``max_steps`` is unknown."""
        return min(self.step / self.max_steps, 1.0) if self.max_steps else 0.0
