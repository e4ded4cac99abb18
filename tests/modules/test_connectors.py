"""Connectors: shapes, and what leaves them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cls_kd.modules import ConvConnector, ResizingConnector, TokenGenerator, UnitEmbedding


def test_conv_connector() -> None:
    out = ConvConnector(3, 7)(torch.randn(2, 3, 4, 5))
    assert out.shape == (2, 7, 4, 5)
    assert out.min() == 0.0
    assert sum(p.numel() for p in ConvConnector(3, 7).parameters()) == 3 * 7 + 2 * 7


@pytest.mark.parametrize(
    ("student", "teacher", "kind", "kernel", "stride", "padding"),
    [
        ((3, 16, 16), (5, 16, 16), nn.Conv2d, (1, 1), 1, 0),
        ((3, 16, 16), (5, 8, 8), nn.Conv2d, (3, 3), 2, 1),
        ((3, 8, 8), (5, 16, 16), nn.ConvTranspose2d, (4, 4), 2, 1),
        ((3, 10, 9), (5, 8, 8), nn.Conv2d, (3, 2), 1, 0),
        ((3, 4, 4), (5, 16, 16), nn.Conv2d, (1, 1), 1, 0),
    ],
)
def test_resizing_connector_is_repdistiller_s(
    student: tuple[int, ...],
    teacher: tuple[int, ...],
    kind: type,
    kernel: tuple[int, int],
    stride: int,
    padding: int,
) -> None:
    """models/util.py of HobbitLong/RepDistiller@b84f547, class ConvReg; the last case is ours."""
    connector = ResizingConnector(student, teacher)
    convolution = connector[0]
    assert type(convolution) is kind
    assert convolution.kernel_size == kernel
    assert convolution.stride == (stride, stride)
    assert convolution.padding == (padding, padding)
    mapped = connector(torch.randn(2, *student))
    assert mapped.shape[1] == teacher[0]
    assert mapped.shape[2:] == (student if student[1] == 4 else teacher)[1:]


def test_the_mask_token_has_three_axes() -> None:
    """So that weight decay reaches it where vectors are spared, as with yzd-v/cls_KD's."""
    assert TokenGenerator(6, 8, 0.5).mask_token.shape == (1, 1, 8)


def test_unit_embedding() -> None:
    out = UnitEmbedding(5, 8)(torch.randn(3, 5))
    assert out.shape == (3, 8)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(3))
