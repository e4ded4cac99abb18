"""Pairs: with each image another one of its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


@DATASETS.register_module()
class ClassPairs:
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
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        self._places: np.ndarray | None = None
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Of the data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Load, and sort the places of all samples by class.

        Raises:
            UserError: Samples have no single label each.
        """
        if self._places is not None:
            return
        self.dataset.full_init()
        labels = np.asarray(self._labels())
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise UserError(
                f"ClassPairs needs one label a sample; those of {type(self.dataset).__name__} are "
                f"of the shape {labels.shape} and the type {labels.dtype}."
            )
        self._places = np.argsort(labels, kind="stable")
        # Of each sample: where its class begins among these, how many it has, which one it is.
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        self._first = (np.cumsum(counts) - counts)[classes]
        self._count = counts[classes]
        self._own = np.empty_like(self._places)
        self._own[self._places] = np.arange(len(labels))
        self._own -= self._first

    def partners(self, places: Sequence[int]) -> list[int]:
        """For each sample another one of its class, drawn."""
        self.full_init()
        assert self._places is not None
        at = np.asarray(places)
        others = np.maximum(self._count[at] - 1, 1)
        drawn = np.random.randint(0, others)
        drawn += (drawn >= self._own[at]) & (self._count[at] > 1)
        return self._places[self._first[at] + drawn].tolist()

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Of the data set."""
        return self.dataset.get_data_info(idx)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        (partner,) = self.partners([idx])
        return {**self.dataset[idx], "pair_inputs": self.dataset[partner]["inputs"]}

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """What a loader asks for; a data set that gives whole batches goes on doing so."""
        partners = self.partners(indices)
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            items = zip(indices, partners, strict=True)
            return [
                {**self.dataset[one], "pair_inputs": self.dataset[other]["inputs"]}
                for one, other in items
            ]
        batch, pairs = fetch(list(indices)), fetch(partners)
        if isinstance(batch, Mapping):
            return {**batch, "pair_inputs": pairs["inputs"]}
        return [
            {**one, "pair_inputs": other["inputs"]} for one, other in zip(batch, pairs, strict=True)
        ]

    def _labels(self) -> Any:
        if hasattr(self.dataset, "get_gt_labels"):
            return self.dataset.get_gt_labels()
        return [self.dataset.get_data_info(place)["gt_label"] for place in range(len(self))]
