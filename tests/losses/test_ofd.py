"""OFD: its parts against the authors' values, and which batch norm gives the margin."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cls_kd.functional import negative_margins
from cls_kd.losses import OFDLoss
from cls_kd.losses.feature.ofd import partial_squared_error

from . import reference
from .fabricate import SIZES, fabricate
from .reference import FOLDER, TOLERANCE, assert_close

both_types = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


@both_types
@pytest.mark.parametrize("name", ["ofd-1", "ofd-2"])
def test_a_stage_is_the_authors(name: str, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)
    loss = partial_squared_error(*(leaves[key] for key in leaves))
    reference.assert_reproduced(loss, read, leaves, dtype)


@both_types
@pytest.mark.parametrize("name", ["ofd_margin-1", "ofd_margin-2"])
def test_margins_are_the_authors(name: str, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"{name}.npz")
    norm = {key: reference.as_tensor(value, dtype) for key, value in read.group("aux").items()}
    margins = negative_margins(**norm)
    assert_close(margins, read.arrays["out.margin"], TOLERANCE[dtype], "margin")


def test_later_stages_count_more() -> None:
    loss = OFDLoss()
    loss.build(SIZES.facts())
    loss.connectors = nn.ModuleList(nn.Identity() for _ in loss.connectors)
    signals = fabricate(loss.signals)
    teacher = signals["teacher_preacts"]
    signals["student_preacts"] = tuple(-stage for stage in teacher)
    errors = [
        partial_squared_error(-stage, stage, negative_margins(*norm))
        for stage, norm in zip(teacher, signals["teacher_preact_norms"], strict=True)
    ]
    expected = errors[0] / 4 + errors[1] / 2 + errors[2]
    torch.testing.assert_close(loss(**signals), expected)
    assert min(error.item() for error in errors) > 0


def test_margins_of_dead_and_of_sure_channels_are_finite() -> None:
    weight = torch.tensor([0.0, 1e-20, 1.0, 1.0])
    margins = negative_margins(weight, torch.tensor([0.0, 1.0, -80.0, 80.0]))
    assert margins.isfinite().all()
    assert margins[2].item() == pytest.approx(-80, rel=1e-3)
