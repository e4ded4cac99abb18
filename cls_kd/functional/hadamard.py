"""Orthogonal matrices whose entries are all of one size: Hadamard matrices."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def hadamard(order: int) -> Tensor | None:
    """A Hadamard matrix of an order, entries 1 and -1; None where these constructions give none.

    Sylvester's doubling of matrices of Paley's two kinds over prime fields. They give one for the
    widths of common vision transformers: 192, 384, 768, 1024, 1152, 1280, 1408, 1536, 4096.

    >>> hadamard(2)
    tensor([[ 1.,  1.],
            [ 1., -1.]])
    >>> matrix = hadamard(12)
    >>> bool((matrix @ matrix.t() == 12 * torch.eye(12)).all())
    True
    """
    if order == 1:
        return torch.ones(1, 1)
    if order % 4 and order != 2:
        return None
    for kind in (_paley_first, _paley_second):
        matrix = kind(order)
        if matrix is not None:
            return matrix
    half = hadamard(order // 2)
    return None if half is None else torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), half)


def flat_rotation(order: int) -> Tensor:
    """An orthogonal matrix whose rows spread over all columns, evenly where it can be.

    A Hadamard matrix divided by the square root of its order; where none is known, the matrix of
    the Hartley transform, whose rows are even to a factor of two (ours).

    >>> rotation = flat_rotation(6)
    >>> bool(torch.allclose(rotation @ rotation.t(), torch.eye(6), atol=1e-6))
    True
    """
    matrix = hadamard(order)
    if matrix is None:
        steps = torch.arange(order, dtype=torch.float64)
        angles = 2 * math.pi / order * steps.outer(steps).remainder(order)
        matrix = (angles.cos() + angles.sin()).float()
    return matrix / math.sqrt(order)


def _paley_first(order: int) -> Tensor | None:
    """Of order q + 1, for a prime q of the form 4n + 3."""
    prime = order - 1
    if prime % 4 != 3 or not _is_prime(prime):
        return None
    matrix = torch.ones(order, order)
    matrix[1:, 1:] = _residues(prime) + torch.eye(prime)
    matrix[1:, 0] = -1
    return matrix


def _paley_second(order: int) -> Tensor | None:
    """Of order 2(q + 1), for a prime q of the form 4n + 1."""
    prime = order // 2 - 1
    if order % 2 or prime % 4 != 1 or not _is_prime(prime):
        return None
    core = torch.ones(prime + 1, prime + 1)
    core[0, 0] = 0
    core[1:, 1:] = _residues(prime)
    identity = torch.eye(prime + 1)
    of_core = torch.kron(core, torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    return of_core + torch.kron(identity, torch.tensor([[1.0, -1.0], [-1.0, -1.0]]))


def _residues(prime: int) -> Tensor:
    """Quadratic characters of the differences of row and column, (q, q), 0 at the diagonal."""
    character = torch.full((prime,), -1.0)
    character[torch.arange(1, prime).square() % prime] = 1.0
    character[0] = 0.0
    steps = torch.arange(prime)
    return character[(steps.unsqueeze(1) - steps) % prime]


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, math.isqrt(number) + 1))
