"""Pairs of images of the same class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


@DATASETS.register_module()
class ClassPairs(DatasetWrapper):
    """A data set that adds to each item ``pair_inputs``: another image of the same class.

    The other image is drawn anew each time, evenly among all others of the class (where there is
    none it is the image itself), and goes through the data set's pipeline on its own. NumPy's
    global generator draws it, as mmpretrain's transforms do. It doubles the work of loading.

    Put it around the data set itself, inside a wrapper that repeats it: there the "other" image
    could be the same one.

    Args:
        dataset: A data set with hard labels, or its config.
        lazy_init: Load at first use.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        # Before full_init, which fills it.
        self._order: np.ndarray | None = None
        super().__init__(dataset, lazy_init)

    def full_init(self) -> None:
        """Load, and sort the indices of all samples by class.

        Raises:
            UserError: Samples have no single label each.
        """
        if self._order is not None:
            return
        super().full_init()
        labels = np.asarray(self._labels())
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise UserError(
                f"ClassPairs needs one label a sample; those of {type(self.dataset).__name__} are "
                f"of the shape {labels.shape} and the type {labels.dtype}."
            )
        self._order = np.argsort(labels, kind="stable")
        # Of each sample: where its class begins among these, how many it has, which one it is.
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        self._first = (np.cumsum(counts) - counts)[classes]
        self._count = counts[classes]
        self._rank = np.empty_like(self._order)
        self._rank[self._order] = np.arange(len(labels))
        self._rank -= self._first

    def partners(self, indices: Sequence[int]) -> list[int]:
        """Draw, for each sample, another sample of its class."""
        self.full_init()
        assert self._order is not None
        rows = np.asarray(indices)
        others = np.maximum(self._count[rows] - 1, 1)
        drawn = np.random.randint(0, others)
        drawn += (drawn >= self._rank[rows]) & (self._count[rows] > 1)
        return self._order[self._first[rows] + drawn].tolist()

    def __getitem__(self, idx: int) -> dict[str, Any]:
        (partner,) = self.partners([idx])
        return {**self.dataset[idx], "pair_inputs": self.dataset[partner]["inputs"]}

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """A batch with its pairs; whole, where the data set gives whole batches."""
        partners = self.partners(indices)
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            items = zip(indices, partners, strict=True)
            return [
                {**self.dataset[index], "pair_inputs": self.dataset[partner]["inputs"]}
                for index, partner in items
            ]
        batch, pairs = fetch(list(indices)), fetch(partners)
        if isinstance(batch, Mapping):
            return {**batch, "pair_inputs": pairs["inputs"]}
        return [
            {**item, "pair_inputs": pair["inputs"]} for item, pair in zip(batch, pairs, strict=True)
        ]

    def _labels(self) -> Any:
        if hasattr(self.dataset, "get_gt_labels"):
            return self.dataset.get_gt_labels()
        return [self.dataset.get_data_info(index)["gt_label"] for index in range(len(self))]
