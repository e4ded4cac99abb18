"""Random draws that can be repeated: of a sample by seed, epoch and index, of a batch by step."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from torch import Tensor

from cls_kd.adapters.samples import DRAW
from cls_kd.data.batch_augments import LabelSmoothing
from cls_kd.data.reading import NamedLoading, datasets_in
from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS
from cls_kd.signals.time import TrainingTime

_DRAWS_NOTHING = frozenset(
    {"PackInputs", "LoadImageFromFile", "Resize", "ResizeEdge", "CenterCrop", "ToPIL", "ToNumpy"}
)
"""Transforms of mmpretrain that do the same with an image each time."""

_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)


@contextmanager
def seeded(*origin: int) -> Iterator[None]:
    """Seed Python, NumPy and PyTorch's generator of the CPU; afterwards they are as before.

    Args:
        *origin: Numbers, not negative, that the draws are to depend on.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        _seed(origin)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _seed(origin: Sequence[int]) -> None:
    python, numpy, pytorch = np.random.SeedSequence(list(origin)).generate_state(3)
    random.seed(int(python))
    np.random.seed(int(numpy))
    # `torch.manual_seed` would seed the generators of GPUs as well.
    torch.default_generator.manual_seed(int(pytorch))


@DATASETS.register_module()
class SeededSamples(DatasetWrapper):
    """A data set whose random transforms depend on (seed, epoch, index) alone.

    Until ``is_active`` is set, it is the data set as it is.

    The transforms themselves are unchanged: Python's, NumPy's and PyTorch's generators are seeded
    before each sample. TinyViT (Wu et al., ECCV 2022) stores teachers' outputs this way.

    Args:
        dataset: A data set, or its config.
        lazy_init: Load at first use.

    Attributes:
        is_active: Whether samples are seeded.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        # Shared with the processes that load, which may have been started in an earlier epoch.
        self._origin = torch.zeros(2, dtype=torch.int64).share_memory_()
        self.is_active = False
        super().__init__(dataset, lazy_init)

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Let the draws that follow depend on this seed and this epoch."""
        self._origin.copy_(torch.tensor([seed, epoch]))

    def __getitem__(self, idx: int) -> Any:
        if not self.is_active:
            return self.dataset[idx]
        with seeded(*self._origin.tolist(), idx):
            return self._drawn(idx)

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Items, each with draws of its own; or a whole batch, as the data set gives it."""
        if not self.is_active:
            fetch = getattr(self.dataset, "__getitems__", None)
            return [self[index] for index in indices] if fetch is None else fetch(indices)
        seed, epoch = self._origin.tolist()
        items = []
        with seeded(seed, epoch):
            for index in indices:
                _seed((seed, epoch, index))
                items.append(self._drawn(index))
        return items

    def _drawn(self, index: int) -> Any:
        item = self.dataset[index]
        # Where the data set is repeated, the sample's own index would not tell its draws apart.
        item["data_samples"].set_metainfo({DRAW: index})
        return item


class SeededBatchAugment:
    """A batch augmentation (mixup, CutMix) whose draws depend on (seed, epoch, step, rank) alone.

    Args:
        augment: The augmentation.

    Attributes:
        time: The training time.
    """

    def __init__(self, augment: Any) -> None:
        self.augment = augment
        self.time = TrainingTime()

    def __call__(self, images: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) and scores (N, K)."""
        with seeded(self.time.seed, self.time.epoch, self.time.step, get_rank()):
            return self.augment(images, scores)


def random_transforms(dataset: Any) -> list[str]:
    """Names of the transforms of a data set that may draw at random.

    Raises:
        UserError: A transform has a generator of its own, which nobody else can seed.
    """
    names = []
    for inner in datasets_in(dataset):
        for step in getattr(getattr(inner, "pipeline", None), "transforms", ()):
            _check_generator(step)
            kind = type(step.step if isinstance(step, NamedLoading) else step).__name__
            if kind not in _DRAWS_NOTHING:
                names.append(kind)
    return names


def mixes_images(batch_augments: Any) -> bool:
    """Test for batch augmentations that change images, and not labels alone."""
    if batch_augments is None:
        return False
    augments = getattr(batch_augments, "augments", None) or [batch_augments]
    return any(
        not (isinstance(augment, LabelSmoothing) and not mixes_images(augment.augment))
        for augment in augments
    )


def check_repeatable(dataset: SeededSamples, count: int = 3) -> None:
    """Refuse a data set whose samples differ although they are drawn from the same seed.

    Args:
        dataset: The data set.
        count: Number of samples that are drawn twice.

    Raises:
        UserError: Names the sample.
    """
    for index in range(min(count, len(dataset))):
        first, second = dataset[index]["inputs"], dataset[index]["inputs"]
        if not torch.equal(torch.as_tensor(first), torch.as_tensor(second)):
            raise UserError(
                f"store: sample {index} of the training data differs when it is drawn twice from "
                "the same seed, so that the teacher's outputs of it cannot be stored: a transform "
                "draws from a generator of its own."
            )


def _check_generator(step: Any) -> None:
    for name, value in vars(step).items() if hasattr(step, "__dict__") else ():
        if isinstance(value, _GENERATORS):
            raise UserError(
                f"store: the transform {type(step).__name__} draws from a generator of its own "
                f"({name}), which cannot be seeded by sample: the teacher's outputs cannot be "
                "stored for these data."
            )
