"""Singular vectors with a gradient that stays finite."""

from __future__ import annotations

import torch
from torch import Tensor


def right_singular_vectors(matrices: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The leading singular values and right singular vectors of each matrix.

    A vector's sign is such that its entries sum to 0 or more. Its gradient is that of first-order
    perturbation of the eigenvectors of ``matrix^T matrix``. Where two singular values agree to
    rounding, or are zero, that gradient does not exist, and is bounded here; the gradient of
    `torch.linalg.svd` is NaN there. The values have no gradient.

    Args:
        matrices: (N, R, C).
        count: How many; of smaller matrices, min(R, C).

    Returns:
        Values (N, count), largest first, and vectors (N, C, count).

    >>> matrices = torch.tensor([[[0.0, 2.0], [0.0, 0.0], [-1.0, 0.0]]])
    >>> values, vectors = right_singular_vectors(matrices, 1)
    >>> values, vectors[0, :, 0].abs()
    (tensor([[2.]]), tensor([0., 1.]))
    """
    with torch.no_grad():
        _, values, rows = torch.linalg.svd(matrices, full_matrices=False)
        squares = values.square()
        leading = rows[:, :count].mT  # (N, C, count)
        leading = torch.where(leading.sum(1, keepdim=True) < 0, -leading, leading)
        scale = squares[:, :1]
        gaps = squares[:, None, :count] - squares[:, :, None]  # (N, min(R, C), count)
        inverse_gaps = _bounded_inverse(gaps, scale[:, None])
        inverse_squares = _bounded_inverse(squares[:, None, :count], scale[:, None])
    moved = matrices.mT @ (matrices @ leading)
    change = moved - moved.detach()  # zero; only its gradient counts
    inside = rows @ change
    outside = (change - rows.mT @ inside) * inverse_squares
    return values[:, :count], leading + rows.mT @ (inside * inverse_gaps) + outside


def _bounded_inverse(values: Tensor, scale: Tensor) -> Tensor:
    """1 / values, and 0 at 0; bounded where they are below the rounding error of ``scale``."""
    limits = torch.finfo(values.dtype)
    return values / (values.square() + (limits.eps * scale).square()).clamp_min(limits.tiny)
