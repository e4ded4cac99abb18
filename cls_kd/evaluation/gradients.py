"""Gradients of several terms of one objective, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor


def term_gradients(
    terms: Mapping[str, Tensor], sources: Sequence[Tensor]
) -> dict[str, list[Tensor | None]]:
    """The gradient of each term by each source; None where the term does not depend on it.

    Args:
        terms: Scalars of one graph, which is kept.
        sources: Tensors of that graph.
    """
    nothing: list[Tensor | None] = [None] * len(sources)
    return {
        name: list(torch.autograd.grad(value, sources, retain_graph=True, allow_unused=True))
        if value.requires_grad
        else nothing
        for name, value in terms.items()
    }


def gradient_norm(gradient: Sequence[Tensor | None]) -> float:
    """Euclidean norm of all parts together; 0 where there is none."""
    parts = [part.double().norm() for part in gradient if part is not None]
    return float(torch.stack(parts).norm()) if parts else 0.0


def gradient_cosines(
    gradients: Mapping[str, Sequence[Tensor | None]],
) -> dict[tuple[str, str], float]:
    """Cosine of every pair of terms' gradients; pairs with a zero gradient are left out."""
    norms = {name: gradient_norm(gradient) for name, gradient in gradients.items()}
    cosines = {}
    for first, second in combinations(gradients, 2):
        if not norms[first] * norms[second]:
            continue
        products = [
            (a.double() * b.double()).sum()
            for a, b in zip(gradients[first], gradients[second], strict=True)
            if a is not None and b is not None
        ]
        total = float(torch.stack(products).sum()) if products else 0.0
        cosines[first, second] = total / (norms[first] * norms[second])
    return cosines
