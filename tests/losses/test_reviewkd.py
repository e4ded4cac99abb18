"""ReviewKD against the authors' values, where the embeddings are the last of the maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cls_kd.losses import ReviewKDLoss

from . import reference
from .fabricate import SIZES, Sizes, fabricate
from .reference import FOLDER

# The beginning of the reference's names of learned parts to ours.
REVIEW_FUSIONS = {
    f"abfs.{depth}.{theirs}": f"fusions.{depth}.{ours}"
    for depth in range(4)
    for theirs, ours in (("conv1", "reduce"), ("conv2", "predict"), ("att_conv.0", "attention"))
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ["reviewkd-1", "reviewkd-2"])
def test_value_and_gradients_are_the_authors(name: str, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)
    maps = reference.as_signals(leaves)
    signals: dict[str, Any] = {
        "student_stages": maps["student_stages"][:-1],
        "student_embedding": maps["student_stages"][-1].flatten(1),
        "teacher_preacts": maps["teacher_stages"][:-1],
        "teacher_embedding": maps["teacher_stages"][-1].flatten(1),
    }
    loss = ReviewKDLoss(**read.meta["args"])
    parameters = reference.build(loss, read, signals, REVIEW_FUSIONS)
    reference.assert_reproduced(loss.to(dtype)(**signals), read, leaves, dtype, parameters)
    assert len(parameters) == sum(1 for _ in loss.parameters())


def test_maps_are_fused_in_the_width_of_the_embedding_up_to_512() -> None:
    widths = []
    for width in (6, 600):
        loss = ReviewKDLoss()
        loss.build(Sizes(stages={"student": ((width, 2, 2),), "teacher": ((3, 2, 2),)}).facts())
        widths.append(loss.fusions[0].reduce[0].out_channels)
    assert widths == [6, 512]


def test_chosen_stages_and_the_embedding_are_compared() -> None:
    loss = ReviewKDLoss(stages=[(2, 1)])
    loss.build(SIZES.facts())
    assert len(loss.fusions) == 2
    assert loss(**fabricate(loss.signals)).isfinite()
