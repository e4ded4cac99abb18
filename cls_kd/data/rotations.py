"""Rotations: with each image its rotations by quarter turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS

VIEW_TURNS = "view_turns"
"""Key that says that the further views of an image are its quarter turns."""


@DATASETS.register_module()
class Rotations(DatasetWrapper):
    """A data set that adds ``view_inputs`` to each item: the image turned by 90, 180, 270 degrees.

    An item's ``inputs`` are the first of four views, ``view_inputs`` (3, 3, H, W) the others.
    What ``BatchPreprocessor`` augments in whole batches is augmented before it is turned: a flip
    after a turn would be a turn the other way.

    Args:
        dataset: A data set of square images, or its config.
        lazy_init: Load at first use.
    """

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return _with_turns(self.dataset[idx])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Samples of a batch; a data set that gives whole batches also does so with views."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            return [self[index] for index in indices]
        batch = fetch(list(indices))
        if isinstance(batch, Mapping):
            return _with_turns(batch)
        return [_with_turns(item) for item in batch]


def quarter_turns(images: Tensor) -> list[Tensor]:
    """Images (..., H, W), H = W, turned by 90, 180 and 270 degrees.

    Raises:
        UserError: They are not square.
    """
    height, width = images.shape[-2:]
    if height != width:
        raise UserError(
            f"Rotations: images must be square, and these have {height} x {width} pixels."
        )
    return [torch.rot90(images, count, (-2, -1)) for count in (1, 2, 3)]


def _with_turns(item: Mapping[str, Any]) -> dict[str, Any]:
    turned = torch.stack(quarter_turns(item["inputs"]), dim=-4)
    return {**item, "view_inputs": turned, VIEW_TURNS: turned.shape[-4]}
