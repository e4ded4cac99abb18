"""A small quadratic program: the shortest convex combination of vectors, with bounded weights."""

from __future__ import annotations

import itertools
from functools import cache

import torch
from torch import Tensor

_FREE = -1.0
_RIDGE = 1e-12


def shortest_combination(vectors: Tensor, largest: float = 1.0) -> Tensor:
    """Weights (P,) of the combination of vectors (P, D) with the least norm.

    They sum to 1 and are from 0 to ``largest``. Solved exactly: for each face of the set of weights
    (some weights at a bound, the others free) the conditions of Karush, Kuhn and Tucker are one
    linear system, all faces are solved together, and the best feasible solution wins. There are
    fewer than 3^P faces: it is meant for a handful of vectors. No device is waited for.

    >>> shortest_combination(torch.tensor([[1.0, 0.0], [0.0, 2.0]])).round(decimals=4)
    tensor([0.8000, 0.2000])
    >>> shortest_combination(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), largest=0.6)
    tensor([0.6000, 0.4000])
    """
    gram = vectors.double() @ vectors.double().t()
    gram = gram / gram.diagonal().mean().clamp_min(torch.finfo(gram.dtype).tiny)
    # Vectors that are alike share their weight.
    gram = gram + _RIDGE * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    bounds = _faces(len(vectors), largest, gram.device)
    weights = _minimum_of_each(gram, bounds)
    feasible = ((weights >= -1e-9) & (weights <= largest + 1e-9)).all(1)  # NaN is not
    lengths = torch.where(feasible, (weights @ gram * weights).sum(1), torch.inf)
    best = weights.index_select(0, lengths.argmin().view(1)).squeeze(0)
    return best.clamp(0, largest).to(vectors.dtype)


@cache
def _faces(count: int, largest: float, device: torch.device) -> Tensor:
    """The bound that each weight is at, or ``_FREE``, of each face: (F, P).

    A face without a free weight is the end of one that has a free weight.
    """
    faces = [
        face
        for face in itertools.product((_FREE, 0.0, largest), repeat=count)
        if _FREE in face and face.count(largest) * largest <= 1 + 1e-9
    ]
    return torch.tensor(faces, dtype=torch.float64, device=device)


def _minimum_of_each(gram: Tensor, bounds: Tensor) -> Tensor:
    """The minimum on the affine hull of each face, (F, P)."""
    free = bounds == _FREE
    multiplier = torch.where(free, -1.0, 0.0).to(gram).unsqueeze(2)
    rows = torch.where(free.unsqueeze(2), gram, torch.eye(len(gram)).to(gram))
    last = torch.ones(len(gram) + 1).to(gram)
    last[-1] = 0
    sums = last.expand(len(bounds), 1, -1)
    system = torch.cat([torch.cat([rows, multiplier], 2), sums], 1)
    right = torch.cat([torch.where(free, 0.0, bounds), torch.ones_like(bounds[:, :1])], 1)
    solution, _ = torch.linalg.solve_ex(system, right.unsqueeze(2))
    return solution[:, :-1, 0]
