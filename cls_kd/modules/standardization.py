"""Standardized targets: a teacher's vectors by the statistics of the first batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cls_kd.functional import gather
from cls_kd.functional.hadamard import flat_rotation

_EPS = 1e-12

Factor = Callable[[Tensor, Tensor], Tensor]
"""Covariance (D, D) and a flat rotation (D, D) to the matrix that deviations are multiplied by."""


def phi_s(covariance: Tensor, rotation: Tensor) -> Tensor:
    r"""PHI-S: ``H U^T / a`` with U the eigenvectors, a^2 the mean eigenvalue and H a flat rotation.

    Every coordinate then has variance 1, by one scale and a rotation, which the inverse of both
    takes back without weighing directions against each other.
    """
    values, vectors = torch.linalg.eigh(covariance)
    return rotation @ vectors.t() / values.mean().clamp_min(_EPS).sqrt()


def per_dimension(covariance: Tensor, rotation: Tensor) -> Tensor:
    """Each coordinate divided by its own deviation."""
    return torch.diag(covariance.diagonal().clamp_min(_EPS).rsqrt())


STANDARDIZATIONS: dict[str, Factor] = {"phi_s": phi_s, "variance": per_dimension}
"""Kinds of standardization by the names that losses take."""


class TargetStandardization(nn.Module):
    """Standardize vectors (..., D) by the statistics of the first training batches.

    Mean and covariance over the vectors of all processes; then they are fixed. All state is in
    buffers: a checkpoint resumes it exactly, also between the first batches. In each of the first
    ``steps`` batches an eigenvalue decomposition is made, for which the device is waited for.

    Args:
        dim: D.
        kind: One of `STANDARDIZATIONS`.
        steps: Number of batches.
    """

    count: Tensor
    batches: Tensor
    mean: Tensor
    second: Tensor
    factor: Tensor

    def __init__(self, dim: int, kind: str, steps: int) -> None:
        super().__init__()
        self.kind = kind
        self.steps = steps
        self._calls = 0
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("second", torch.zeros(dim, dim))
        self.register_buffer("factor", torch.eye(dim))
        self.register_buffer("rotation", flat_rotation(dim), persistent=False)

    @property
    def ready(self) -> Tensor:
        """1 where the statistics are fixed, 0 before; a scalar on the device."""
        return (self.batches >= self.steps).to(self.mean.dtype)

    @torch.no_grad()
    def forward(self, values: Tensor) -> Tensor:
        # The count of calls begins anew with a resumed run: what is then done again changes
        # nothing, for the buffers say whether a batch still counts.
        if self.training and self._calls < self.steps:
            self._calls += 1
            self._gather(values.flatten(0, -2))
        return (values - self.mean) @ self.factor.t()

    def _gather(self, values: Tensor) -> None:
        values = gather(values)
        open_ = self.batches < self.steps
        count = self.count + len(values)
        delta = values - self.mean
        mean = self.mean + delta.sum(0) / count.to(values.dtype)
        second = self.second + delta.t() @ (values - mean)
        for buffer, new in ((self.mean, mean), (self.second, second), (self.count, count)):
            buffer.copy_(torch.where(open_, new, buffer))
        self.batches += open_.to(self.batches.dtype)
        covariance = self.second / self.count.to(values.dtype)
        rotation: Any = self.rotation
        self.factor.copy_(STANDARDIZATIONS[self.kind](covariance, rotation))
