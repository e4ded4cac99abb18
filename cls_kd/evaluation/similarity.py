"""Linear CKA: how alike two networks represent the same images.

S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of Neural Network Representations
Revisited", ICML 2019, arXiv:1905.00414. Over batches, by the unbiased estimate of T. Nguyen,
M. Raghu, S. Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021,
arXiv:2010.15327.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_SMALLEST_BATCH = 4
"""Images that the unbiased estimate needs."""


def gram_matrix(features: Tensor) -> Tensor:
    """Inner products of the samples' features (N, ...), as the estimate takes them: (N, N) float64.

    The diagonal is zero.
    """
    flat = features.flatten(1).double()
    flat = flat - flat.mean(0)
    gram = flat @ flat.T
    return gram.fill_diagonal_(0)


def unbiased_hsic(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased estimate of HSIC of two Gram matrices (N, N) whose diagonals are zero; a scalar.

    L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt, "Feature Selection via Dependence
    Maximization", JMLR 2012. N is at least 4.
    """
    size = len(first)
    rows, columns = first.sum(1), second.sum(1)
    value = (first * second).sum() + rows.sum() * columns.sum() / ((size - 1) * (size - 2))
    value = value - 2 * (rows @ columns) / (size - 2)
    return value / (size * (size - 3))


class LinearCKA:
    """Linear CKA between every stage of one network and every stage of another, over batches.

    Numerator and denominators are averaged over batches, so that no features are kept.
    """

    def __init__(self) -> None:
        self._cross: Tensor | None = None
        self._first: Tensor | None = None
        self._second: Tensor | None = None

    def update(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> None:
        """Add a batch; one of fewer than 4 images is left out.

        Args:
            first: Features of the first network's stages, (N, ...) each.
            second: The same of the second network.
        """
        if len(first[0]) < _SMALLEST_BATCH:
            return
        rows = [gram_matrix(features) for features in first]
        columns = [gram_matrix(features) for features in second]
        cross = torch.stack([torch.stack([unbiased_hsic(a, b) for b in columns]) for a in rows])
        diagonal = torch.stack([unbiased_hsic(a, a) for a in rows])
        other = torch.stack([unbiased_hsic(b, b) for b in columns])
        self._cross = cross if self._cross is None else self._cross + cross
        self._first = diagonal if self._first is None else self._first + diagonal
        self._second = other if self._second is None else self._second + other

    def compute(self) -> Tensor:
        """CKA of the stages so far, (stages of the first, stages of the second), on the CPU.

        1 for the same representation up to rotation and scale; near 0, and by the estimate also
        slightly below, for unrelated ones; NaN before the first batch and for constant features.
        """
        if self._cross is None or self._first is None or self._second is None:
            return torch.full((1, 1), float("nan"))
        scale = (self._first[:, None] * self._second[None, :]).clamp(min=0).sqrt()
        return (self._cross / scale).cpu()
