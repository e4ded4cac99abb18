"""Connectors: shapes, and what leaves them."""

from __future__ import annotations

import torch

from cls_kd.modules import ConvConnector, UnitEmbedding


def test_conv_connector() -> None:
    out = ConvConnector(3, 7)(torch.randn(2, 3, 4, 5))
    assert out.shape == (2, 7, 4, 5)
    assert out.min() == 0.0
    assert sum(p.numel() for p in ConvConnector(3, 7).parameters()) == 3 * 7 + 2 * 7


def test_unit_embedding() -> None:
    out = UnitEmbedding(5, 8)(torch.randn(3, 5))
    assert out.shape == (3, 8)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(3))
