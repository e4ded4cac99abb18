"""Reference trajectories: 12 training steps of a published trainer, read from ``*.npz``.

A file holds images, labels, every loss term of each step, and the student's weights and buffers
after the last one, all in float64. ``meta`` is JSON: method, the losses as in a config of cls_kd,
repository and commit of the reference, optimizer, normalization, and name and shape of all entries
of both networks. Nothing of a reference's code is in them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FILES = sorted(Path(__file__).parent.glob("*.npz"))

Entries = list[tuple[str, list[int]]]


@dataclass(frozen=True)
class Trajectory:
    """One file: ``meta`` is its JSON, ``arrays`` everything else by name."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def entries(self, role: str) -> Entries:
        """Name and shape of the entries of ``'teacher'`` or ``'student'``."""
        return self.meta[f"{role}_entries"]

    def start(self, entries: Entries) -> dict[str, Tensor]:
        """What these entries start from: stored values where there are any, else the rule's."""
        values = {
            name: self.arrays.get(f"init.{name}", initial(name, tuple(shape)))
            for name, shape in entries
        }
        return {name: torch.as_tensor(value) for name, value in values.items()}


def read(path: Path) -> Trajectory:
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return Trajectory(json.loads(str(arrays.pop("meta"))), arrays)


def initial(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The initial value of an entry, from its name and shape alone, rounded to float32.

    z is standard normal, seeded by the first 8 bytes of SHA-256 of the name. Convolutions and
    linear layers are z * sqrt(2 / fan_in), weights of batch norm 1 + 0.1 z, running variances
    1 + 0.1 |z|, biases and running means 0.1 z, counters 0.
    """
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    z = np.random.default_rng(seed).standard_normal(shape)
    if len(shape) > 1:
        z *= np.sqrt(2.0 / np.prod(shape[1:]))
    elif leaf == "weight":
        z = 1 + 0.1 * z
    elif leaf == "running_var":
        z = 1 + 0.1 * np.abs(z)
    else:
        z *= 0.1
    return z.astype(np.float32)
