"""States of the random generators of all processes, as plain values of a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank


def generator_states() -> list[dict[str, Any]]:
    """The states of Python's, NumPy's and PyTorch's generators, by process."""
    version, words, gauss = random.getstate()
    numpy: Any = np.random.get_state()
    kind, keys, position, has_gauss, cached = numpy
    state = {
        "python": [version, list(words), gauss],
        "numpy": [kind, keys.tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }
    return all_gather_object(state)


def set_generator_states(states: Sequence[dict[str, Any]]) -> None:
    """Put this process's generators in the states of ``generator_states``."""
    state = states[get_rank()]
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
