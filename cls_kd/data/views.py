"""Views: with each image further augmentations of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


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
        return {**self.dataset[idx], "view_inputs": torch.stack(others)}

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Samples of a batch; a data set that gives whole batches also does so with views."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            return [self[index] for index in indices]
        batches = [fetch(list(indices)) for _ in range(self.count)]
        if isinstance(batches[0], Mapping):
            others = [batch["inputs"] for batch in batches[1:]]
            return {**batches[0], "view_inputs": torch.stack(others, dim=1)}
        return [
            {**items[0], "view_inputs": torch.stack([item["inputs"] for item in items[1:]])}
            for items in zip(*batches, strict=True)
        ]
