"""Views: with each image further augmentations of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import RandAugment

from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS

_LARGEST_MAGNITUDE = 30


@DATASETS.register_module()
class Views(DatasetWrapper):
    """A data set that adds to each item ``view_inputs``: the image through the pipeline again.

    An item's ``inputs`` are the first view, ``view_inputs`` (V - 1, 3, H, W) the others. All must
    have one size. It multiplies the work of loading by V.

    Args:
        dataset: A data set, or its config.
        count: V, number of views. Default: 2.
        lazy_init: Load at first use.

    Raises:
        UserError: Fewer than two views.
    """

    def __init__(self, dataset: Any, count: int = 2, lazy_init: bool = False) -> None:
        if not isinstance(count, int) or count < 2:
            raise UserError(f"Views: count must be a whole number of 2 or more, not {count!r}.")
        super().__init__(dataset, lazy_init)
        self.count = count

    def __getitem__(self, idx: int) -> dict[str, Any]:
        others = [self.dataset[idx]["inputs"] for _ in range(self.count - 1)]
        return {**self.dataset[idx], "view_inputs": self._augmented(torch.stack(others))}

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Samples of a batch; a data set that gives whole batches also does so with views."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            return [self[index] for index in indices]
        batches = [fetch(list(indices)) for _ in range(self.count)]
        if isinstance(batches[0], Mapping):
            others = [self._augmented(batch["inputs"]) for batch in batches[1:]]
            return {**batches[0], "view_inputs": torch.stack(others, dim=1)}
        return [
            {**first, "view_inputs": self._augmented(torch.stack([i["inputs"] for i in others]))}
            for first, *others in zip(*batches, strict=True)
        ]

    def _augmented(self, images: Tensor) -> Tensor:
        """Further views, (N, 3, H, W), with augmentations of their own. Default: as they are."""
        return images


@DATASETS.register_module()
class StrongViews(Views):
    """`Views` whose further views are augmented strongly, by RandAugment [0].

    The first view stays weakly augmented, as the pipeline (or the preprocessor's ``augment``)
    makes it. Methods of consistency between a weak and a strong view want this.

    [0] E. D. Cubuk, B. Zoph, J. Shlens, Q. V. Le, "RandAugment: Practical Automated Data
        Augmentation with a Reduced Search Space", CVPR Workshops 2020; torchvision's operations.

    Args:
        dataset: A data set of uint8 images, or its config.
        count: V, number of views. Default: 2.
        operations: Number of operations on each image. Default: 2.
        magnitude: Strength of the operations, from 0 to 30. Default: 10.
        lazy_init: Load at first use.
    """

    def __init__(
        self,
        dataset: Any,
        count: int = 2,
        operations: int = 2,
        magnitude: int = 10,
        lazy_init: bool = False,
    ) -> None:
        super().__init__(dataset, count, lazy_init)
        if not isinstance(magnitude, int) or not 0 <= magnitude <= _LARGEST_MAGNITUDE:
            raise UserError(
                f"StrongViews: magnitude must be a whole number from 0 to {_LARGEST_MAGNITUDE}, "
                f"not {magnitude!r}."
            )
        self.augment = RandAugment(operations, magnitude)

    def _augmented(self, images: Tensor) -> Tensor:
        # Each image has operations of its own; RandAugment draws them once a call.
        return torch.stack([self.augment(image) for image in images])
