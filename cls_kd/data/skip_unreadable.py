"""Training data in which images that cannot be read are left out, counted and listed."""

from __future__ import annotations

from typing import Any

import torch

from cls_kd.data.reading import UnreadableImageError
from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


@DATASETS.register_module()
class SkipUnreadable(DatasetWrapper):
    """A data set whose unreadable images are each replaced by the next readable one.

    So batches keep their size, and the same images are drawn in every run. For training only:
    accuracy on fewer images than the split has would be another figure. It is what
    ``train_dataloader.on_error='skip'`` stands for.

    Args:
        dataset: A data set of image files, or its config.
        lazy_init: Load at first use.

    Raises:
        UserError: No image can be read; when an item is asked for.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        super().__init__(dataset, lazy_init)
        # In shared memory: the processes of a loader write here too.
        self._unreadable = torch.zeros(len(self.dataset), dtype=torch.bool).share_memory_()

    def __getitem__(self, index: int) -> Any:
        for step in range(len(self)):
            position = (index + step) % len(self)
            if self._unreadable[position]:
                continue
            try:
                return self.dataset[position]
            except UnreadableImageError:
                self._unreadable[position] = True
        raise UserError(f"None of the {len(self)} images of the training data can be read.")

    def unreadable(self) -> list[int]:
        """Places of the images that were left out, as far as they were asked for."""
        return self._unreadable.nonzero().flatten().tolist()
