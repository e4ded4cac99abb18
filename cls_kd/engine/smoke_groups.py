"""Cells of the benchmarks that differ in their losses alone: one tiny training for several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from cls_kd.engine.configs import load_config
from cls_kd.runs.benchmarks import find_row

LARGEST = 12
"""Cells of one group: each adds its learned parts and memory to those of the others."""


def group_cells(files: Sequence[Path]) -> list[list[Path]]:
    """The configs in order, where cells of one pair, data and optimizer are one group.

    Args:
        files: Configs, of which some are rows of a ``metafile.yml``.
    """
    groups: list[list[Path]] = []
    open_groups: dict[str, list[Path]] = {}
    for file in files:
        row = None if file.is_file() else find_row(file)
        if row is None:
            groups.append([file])
            continue
        shared = _without_losses(load_config(file))
        group = open_groups.get(shared)
        if group is None or len(group) == LARGEST:
            group = open_groups[shared] = []
            groups.append(group)
        group.append(file)
    return groups


def joined_config(files: Sequence[Path]) -> Config:
    """The config of one training with the losses of all cells, named after their methods."""
    cfgs = [load_config(file) for file in files]
    losses = {
        f"{file.parent.parent.name}_{name}": loss
        for file, cfg in zip(files, cfgs, strict=True)
        for name, loss in cfg.model.losses.to_dict().items()
    }
    cfgs[0].model.losses = losses
    return cfgs[0]


def _without_losses(cfg: Config) -> str:
    values = cfg.to_dict()
    values["model"].pop("losses")
    return repr(values)
