"""Collectives that do nothing in a single process."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def gather(values: Tensor) -> Tensor:
    """The values of all processes, concatenated along the first axis in the order of the ranks.

    All processes must have values of one shape. No gradient flows to other processes.

    Args:
        values: (N, ...).

    Returns:
        (world size * N, ...); ``values`` itself in a single process.
    """
    if _world_size() == 1:
        return values
    values = values.contiguous()
    gathered = [torch.empty_like(values) for _ in range(_world_size())]
    dist.all_gather(gathered, values)
    return torch.cat(gathered)


def mean_over_processes(value: Tensor) -> Tensor:
    """Mean of one tensor over all processes; ``value`` itself in a single process."""
    if _world_size() == 1:
        return value
    value = value.clone()
    dist.all_reduce(value)
    return value / _world_size()


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
