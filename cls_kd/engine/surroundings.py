"""Surroundings of a training: a process of its own, or one that it shares with other runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from mmengine.config import Config
from torch.utils.data import DataLoader

from cls_kd.engine.loaders import build_loader

LoaderBuilder = Callable[[Config, str], DataLoader]
"""A config and the key of a loader in it to the loader."""


class Surroundings(Protocol):
    """Where a run is trained."""

    def build_loader(self, cfg: Config, key: str) -> DataLoader:
        """See ``cls_kd.engine.loaders.build_loader``."""

    def enter(self, cfg: Config, distiller: Any) -> None:
        """The networks are built; nothing has been written yet.

        Args:
            cfg: The resolved config of the run.
            distiller: Its distiller, on the CPU.
        """

    def prepare(self, runner: Any) -> None:
        """The runner is built, and training is about to begin."""

    def seconds(self) -> float:
        """Seconds that the run has taken so far."""


class Alone:
    """A process of which a run has all."""

    def __init__(self) -> None:
        self._started = time.time()

    def build_loader(self, cfg: Config, key: str) -> DataLoader:
        """See ``Surroundings.build_loader``."""
        return build_loader(cfg, key)

    def enter(self, cfg: Config, distiller: Any) -> None:
        """Nothing is shared."""

    def prepare(self, runner: Any) -> None:
        """Nothing is shared."""

    def seconds(self) -> float:
        """Seconds since this object was made."""
        return time.time() - self._started
