"""Heads from a student's vectors to a teacher's: trained with the loss and thrown away."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def linear_head(in_features: int, out_features: int) -> nn.Module:
    """A linear layer, (..., D_in) -> (..., D_out)."""
    return nn.Linear(in_features, out_features)


def mlp_head(in_features: int, out_features: int) -> nn.Module:
    """Layer normalization and two linear layers with GELU, as wide as the teacher inside (ours)."""
    return nn.Sequential(
        nn.LayerNorm(in_features),
        nn.Linear(in_features, out_features),
        nn.GELU(),
        nn.Linear(out_features, out_features),
    )


HEADS: dict[str, Callable[[int, int], nn.Module]] = {"linear": linear_head, "mlp": mlp_head}
"""Heads by the names that losses take."""
