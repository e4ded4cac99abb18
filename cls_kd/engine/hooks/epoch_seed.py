"""Randomness follows (seed, epoch, rank): a resumed run goes on as if never stopped."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from cls_kd.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds Python, NumPy and PyTorch before each epoch.

    Augmentations, mixup, dropout and drawn negatives then depend on (seed, epoch, rank) alone, and
    not on what ran before: validation, an earlier run in the same process, a kill and a resume.
    Worker processes take their seed from PyTorch's when an epoch starts; keep
    ``persistent_workers=False`` (the default) for exact resumption.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Runner) -> None:
        """Derive independent seeds from (seed, epoch, step, rank) and set them."""
        # In a loop that counts steps the epoch stays 0, and the step tells resumed runs apart.
        # Inside an epoch, the step at which that began.
        first = runner.iter - getattr(getattr(runner, "train_loop", None), "batches", 0)
        origin = [runner.seed, runner.epoch, first, get_rank()]
        python, numpy, pytorch = np.random.SeedSequence(origin).generate_state(3)
        random.seed(int(python))
        np.random.seed(int(numpy))
        torch.manual_seed(int(pytorch))
