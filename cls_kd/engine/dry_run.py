"""Dry run of a list of runs: each is built once before the first of them trains for hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cls_kd.distillers.teacher import UNTRAINED
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from cls_kd.runs.checkpoints import REFERENCE
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.run import Run


def dry_run(runs: Sequence[Run]) -> None:
    """Build the data and networks of each run after the first; one seed stands for all.

    What an earlier run will have trained is untrained here.

    Raises:
        UserError: Something in a run does not fit; names the run.
    """
    others = {run.name: run for run in reversed(runs) if run.name != runs[0].name}
    for run in others.values():
        try:
            build_parts(PlainConfig(without_references(run.cfg.to_dict())))
        except UserError as error:
            raise UserError(f"The run {run.title} cannot be built. {error}") from error


def without_references(value: Any) -> Any:
    """A config without references to other runs."""
    if isinstance(value, Mapping):
        kept = {
            key: UNTRAINED if key == "weights" and _refers(item) else without_references(item)
            for key, item in value.items()
        }
        if _refers(kept.get("student_weights")):
            kept.pop("student_weights")
        return kept
    if isinstance(value, list | tuple):
        return type(value)(without_references(item) for item in value)
    return value


def _refers(weights: Any) -> bool:
    source = weights.get("source") if isinstance(weights, Mapping) else weights
    return isinstance(source, str) and source.startswith(REFERENCE)
