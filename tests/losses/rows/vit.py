"""Rows of the losses of vision transformers. A new loss adds one."""

from __future__ import annotations

from .row import Row

ROWS: dict[str, Row] = {
    "ViTKDLoss": Row(
        wrong=({"alpha": -1}, {"beta": -1}, {"mask_ratio": 0}, {"mask_ratio": 1.0}),
    ),
}
