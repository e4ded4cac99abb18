"""The base of data sets that add something to the items of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cls_kd.registry import DATASETS


class DatasetWrapper:
    """A data set around another one, of the same length.

    Args:
        dataset: A data set, or its config.
        lazy_init: Load at first use.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Load the data set."""
        self.dataset.full_init()

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """An item of the data set, before its pipeline."""
        return self.dataset.get_data_info(idx)

    def __len__(self) -> int:
        return len(self.dataset)
