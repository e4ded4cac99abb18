"""A part of the training images that is kept out of training, to choose settings by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


@DATASETS.register_module()
def held_out_split(
    dataset: Any,
    part: Literal["rest", "held_out"] = "rest",
    every: int = 10,
    lazy_init: bool = False,
) -> Any:
    """A data set without some images of each class, or those images alone.

    No random generator decides: within each class, in the order of the data set, every tenth image
    is held out.

    Args:
        dataset: A data set that knows its labels (``get_gt_labels``), or its config.
        part: 'held_out', or 'rest' for the others.
        every: One of so many images of a class is held out.
        lazy_init: The data set as it is, not loaded, for its meta information only.

    Raises:
        UserError: The data set does not know its labels, or a class has fewer than ``every``.
    """
    built = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
    if lazy_init:
        return built
    built.full_init()
    if not (hasattr(built, "get_gt_labels") and hasattr(built, "get_subset_")):
        raise UserError(
            f"{type(built).__name__} cannot be split by class: it has no get_gt_labels and "
            "get_subset_, as mmpretrain's data sets have."
        )
    is_held_out = held_out(np.asarray(built.get_gt_labels()), every)
    chosen = is_held_out if part == "held_out" else ~is_held_out
    built.get_subset_(np.flatnonzero(chosen).tolist())
    return built


def held_out(labels: np.ndarray, every: int) -> np.ndarray:
    """Which images are held out: of each class the last of every so many, in order.

    Args:
        labels: Classes, (M,).
        every: One of so many images of a class.

    Returns:
        Truth values, (M,).

    Raises:
        UserError: A class has fewer than ``every`` images.
    """
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min(initial=every) < every:
        fewest = int(counts.argmin())
        raise UserError(
            f"Of {every} images of a class one is held out, and class {classes[fewest]} has "
            f"{counts[fewest]}."
        )
    order = np.argsort(inverse, kind="stable")
    first = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.empty(len(labels), dtype=int)
    rank[order] = np.arange(len(labels)) - first
    return rank % every == every - 1
