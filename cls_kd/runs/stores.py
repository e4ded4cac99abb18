"""Stored teacher outputs, as far as planning knows of them: a key of a teacher's config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cls_kd.errors import UserError

if TYPE_CHECKING:
    from cls_kd.runs.run import Run

_NOT_OF_THE_RESULT = ("dir", "max_size", "verify")
"""Options of a store that change no figure: where it is, its bound, and what is compared."""


def add_store(runs: Sequence[Run], options: Mapping[str, Any]) -> None:
    """Let every teacher of these runs store its outputs; what a config says of it stays.

    Args:
        runs: Planned runs; those without a teacher stay as they are.
        options: Of the store, such as ``dict(dir='outputs')``; they win over the config's.

    Raises:
        UserError: No run has a teacher.
    """
    changed = [run for run in runs if _teachers(run.cfg.get("model") or {})]
    if not changed:
        raise UserError("--store-teacher: no run of this config has a teacher.")
    for run in changed:
        for teacher in _teachers(run.cfg.model):
            teacher["store"] = {**(teacher.get("store") or {}), **options}


def has_store(run: Run) -> bool:
    """Test for a run with a teacher whose outputs are stored."""
    return any("store" in teacher for teacher in _teachers(run.cfg.get("model") or {}))


def without_places(model: Any) -> Any:
    """The section ``model`` without those options of a store that change no figure."""
    if not isinstance(model, Mapping) or not any("store" in item for item in _teachers(model)):
        return model
    teacher = model["teacher"]
    several = not isinstance(teacher, Mapping)
    kept = [_without_place(item) for item in (teacher if several else [teacher])]
    return {**model, "teacher": kept if several else kept[0]}


def _teachers(model: Mapping[str, Any]) -> list[Any]:
    teacher = model.get("teacher") or []
    listed = [teacher] if isinstance(teacher, Mapping) else teacher
    return [item for item in listed if isinstance(item, Mapping)]


def _without_place(teacher: Any) -> Any:
    if not isinstance(teacher, Mapping) or not isinstance(teacher.get("store"), Mapping):
        return teacher
    kept = {key: value for key, value in teacher["store"].items() if key not in _NOT_OF_THE_RESULT}
    return {**teacher, "store": kept}
