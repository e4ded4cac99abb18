"""Identity of the data themselves: a digest of the images and labels of a data set."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from cls_kd.data.in_memory import ImagesInMemory
from cls_kd.data.reading import datasets_in


def content_digest(dataset: Any) -> str:
    """SHA-256 of what a data set holds, in its order.

    Of images in memory it is that of their pixels. Of image files it is that of their paths below
    the common folder, their lengths and the times of their last change, since reading all of them
    would take as long as an epoch.

    Args:
        dataset: A data set, also one inside wrappers or joined of several.
    """
    hasher = hashlib.sha256()
    for inner in datasets_in(dataset):
        if getattr(inner, "dataset", None) is None and not getattr(inner, "datasets", None):
            _add(hasher, inner)
    return hasher.hexdigest()


def _add(hasher: Any, dataset: Any) -> None:
    hasher.update(f"{type(dataset).__name__} {len(dataset)}".encode())
    if isinstance(dataset, ImagesInMemory):
        dataset.full_init()
        rows = np.asarray(dataset.data_list, np.int64)
        for array in (rows, dataset.images.numpy(), dataset.labels.numpy()):
            hasher.update(np.ascontiguousarray(array))
        return
    root = str(getattr(dataset, "data_root", "") or "")
    for position in range(len(dataset)):
        info = dataset.get_data_info(position)
        hasher.update(repr(info.get("gt_label")).encode())
        image = info.get("img")
        if image is not None:
            pixels = np.ascontiguousarray(image)
            hasher.update(f"{pixels.dtype} {pixels.shape}".encode())
            hasher.update(pixels)
        else:
            hasher.update(_file(info["img_path"], root).encode())


def _file(path: str, root: str) -> str:
    state = os.stat(path)
    inside = os.path.relpath(path, root) if root else Path(path).name
    return f"{inside} {state.st_size} {state.st_mtime_ns}"
