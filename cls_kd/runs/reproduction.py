"""The runs that reproduce a published result: several seeds, and a teacher that has no weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs.checkpoints import REFERENCE
from cls_kd.runs.config_names import CONFIGS
from cls_kd.runs.planning import merged_runs
from cls_kd.runs.run import Run

TEACHER = "teacher"
"""Name of the run that trains the teacher."""


def missing_teacher(cfg: Config) -> Path | None:
    """The file that a cell reads its teacher from, where that file does not exist.

    Args:
        cfg: Of a cell.

    Returns:
        None where there is no teacher, its weights are downloaded, or the file is there.
    """
    teacher = cfg.model.get("teacher")
    weights = teacher.get("weights") if isinstance(teacher, Mapping) else None
    if not isinstance(weights, str) or "://" in weights or not Path(weights).suffix:
        return None
    return None if Path(weights).is_file() else Path(weights)


def teacher_config(weights: Path) -> Path:
    """The config that trains the teacher of ``checkpoints/cifar100/vgg13.pth``.

    Raises:
        UserError: There is none of that name.
    """
    config = CONFIGS / "baselines" / weights.parent.name / f"{weights.stem}.py"
    if not config.is_file():
        raise UserError(
            f"The teacher {weights} does not exist, and no config trains it. Convert a published "
            f"checkpoint: --teacher FILE."
        )
    return config


def seed_runs(
    cfg: Config, name: str, seeds: Sequence[int], work_dir: Path, teacher: Run | None = None
) -> list[Run]:
    """A run of a cell for each seed.

    Args:
        cfg: Of the cell.
        name: Of the runs: the cell's method.
        seeds: Any number of different ones.
        work_dir: The runs are in ``<name>/seed_<seed>`` of it.
        teacher: The run whose last checkpoint the teacher is; None where its weights exist.

    Raises:
        UserError: The config has a list of runs of its own.
    """
    if "runs" in cfg:
        raise UserError("The config of this cell is a list of runs: train it with `cls-kd train`.")
    ((_, _, merged),) = merged_runs(cfg)
    runs = []
    for seed in seeds:
        config = copy.deepcopy(merged)
        config.randomness = {**config.randomness, "seed": seed}
        run = Run(name, seed, config, work_dir / name / f"seed_{seed}")
        if teacher is not None:
            config.model.teacher.weights = f"{REFERENCE}{teacher.name}"
            run.depends_on = {f"{REFERENCE}{teacher.name}": teacher}
        runs.append(run)
    return runs


def teacher_run(cfg: Config, options: Mapping[str, Any], work_dir: Path) -> Run:
    """The run that trains a teacher, with the cell's changes of data and schedule.

    Args:
        cfg: From `teacher_config`.
        options: ``--cfg-options``; those of networks and losses do not concern the teacher.
        work_dir: The run is in ``teacher`` of it.
    """
    ((_, _, merged),) = merged_runs(cfg)
    merged.merge_from_dict(
        {key: value for key, value in options.items() if not key.startswith("model.")}
    )
    return Run(TEACHER, int(merged.randomness.seed), merged, work_dir / TEACHER)
