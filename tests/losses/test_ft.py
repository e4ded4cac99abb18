"""FT: factors against the authors' values, and its two phases."""

from __future__ import annotations

import pytest
import torch

from cls_kd.losses import FTLoss
from cls_kd.losses.feature.ft import factor_error

from . import reference
from .fabricate import SIZES, fabricate
from .reference import FOLDER


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ["ft-1", "ft-2"])
def test_factors_are_compared_as_by_the_authors(name: str, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)
    loss = factor_error(leaves["student_feature"], leaves["teacher_feature"], **read.meta["args"])
    reference.assert_reproduced(loss, read, leaves, dtype)


def test_the_student_follows_once_the_paraphraser_is_trained() -> None:
    torch.manual_seed(0)
    loss = FTLoss(beta=3.0, start=0.5)
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    before, after = (loss(**signals | {"progress": time}) for time in (0.49, 0.5))
    factors, reconstructed = loss.paraphraser(signals["teacher_feature"])
    expected = 3 * factor_error(loss.translator(signals["student_feature"]), factors, 2, 1)
    torch.testing.assert_close(after["loss_factor"], expected)
    assert before["loss_factor"].item() == 0
    error = (reconstructed - signals["teacher_feature"]).square().mean()
    torch.testing.assert_close(before["loss_paraphraser"], error)
    torch.testing.assert_close(after["loss_paraphraser"], error)


def test_the_factors_are_not_made_easier_for_the_student() -> None:
    loss = FTLoss()
    loss.build(SIZES.facts())
    loss(**fabricate(loss.signals))["loss_factor"].backward()
    assert all(parameter.grad is None for parameter in loss.paraphraser.parameters())
    assert all(parameter.grad is not None for parameter in loss.translator.parameters())
