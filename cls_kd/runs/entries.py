"""Entries of ``runs``: a list, or a dict by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cls_kd.errors import UserError

_FORMS = "runs = dict(teacher=dict(...), ...) or runs = [dict(name='teacher', ...), ...]"


def run_entries(runs: Any) -> dict[str, Mapping[str, Any]]:
    """The entries of ``runs`` in order, each by its path in the config and with its name.

    Args:
        runs: The section of a config: a list of dicts with names, or a dict of dicts by name.

    Raises:
        UserError: It is neither, or an entry of a dict has a further name.
    """
    values = list(runs.values()) if isinstance(runs, Mapping) else runs
    if not isinstance(values, list) or not all(isinstance(entry, Mapping) for entry in values):
        raise UserError(f"runs must be a list of dicts or a dict of dicts: {_FORMS}.")
    if not isinstance(runs, Mapping):
        return {f"runs.{index}": entry for index, entry in enumerate(values)}
    for name, entry in runs.items():
        if "name" in entry:
            raise UserError(
                f"runs.{name} is named by its key: leave out name={entry['name']!r} in it."
            )
    return {f"runs.{name}": {"name": name, **entry} for name, entry in runs.items()}


def check_has_entries(runs: Any) -> None:
    """Refuse ``runs`` without an entry, and entries of a list without a name.

    Raises:
        UserError: Says what they look like.
    """
    entries = run_entries(runs)
    if not entries:
        raise UserError("runs is empty: there is nothing to train.")
    for path, entry in entries.items():
        if "name" not in entry and "type" not in entry:
            raise UserError(f"{path} has no name: {_FORMS}.")
