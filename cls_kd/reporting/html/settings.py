"""Settings of runs, how they differ from the baseline's, and where the runs were made."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cls_kd.reporting.experiments import Experiment
from cls_kd.runs.run import CONFIG

_MAX_LENGTH = 160
_MISSING = object()


class Difference(NamedTuple):
    """A setting that two runs do not share.

    Attributes:
        key: Path in the config: ``model.losses.kd.weight``.
        baseline: Its value in the baseline; a dash where it has none.
        run: That of the run.
    """

    key: str
    baseline: str
    run: str


def read_settings(file: Path) -> dict[str, Any] | None:
    """The values of a dumped config, read as data: nothing in the file is run.

    Returns:
        None where there is no such file, or where it is no list of assignments of plain values.
    """
    try:
        statements = ast.parse(file.read_text(encoding="utf-8")).body
        return {_name(entry): ast.literal_eval(entry.value) for entry in statements}  # type: ignore[attr-defined]
    except (OSError, SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):
        return None


def _name(statement: ast.stmt) -> str:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise ValueError("no plain assignment")
    (target,) = statement.targets
    if not isinstance(target, ast.Name):
        raise ValueError("no plain name")
    return target.id


def settings_of(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """The settings of each run without its seed; those that cannot be read are left out."""
    paths = experiment.runs.groupby("run", sort=False)["path"].first()
    settings = {}
    for run in experiment.summary["run"]:
        values = read_settings(Path(paths[run]).parent / CONFIG)
        if values is not None:
            randomness = values.get("randomness")
            if isinstance(randomness, Mapping):
                values["randomness"] = {k: v for k, v in randomness.items() if k != "seed"}
            settings[run] = values
    return settings


def differences(baseline: Mapping[str, Any], run: Mapping[str, Any]) -> list[Difference]:
    """The settings in which a run differs; what a side lacks is named once, not key by key."""
    return [
        Difference(key, _short(before), _short(after))
        for key, before, after in _differing("", baseline, run)
    ]


def _differing(prefix: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys(sorted({*before, *after}, key=str)):
            path = f"{prefix}.{key}" if prefix else str(key)
            yield from _differing(path, before.get(key, _MISSING), after.get(key, _MISSING))
    elif before is _MISSING or after is _MISSING or before != after:
        yield prefix, before, after


def _short(value: Any) -> str:
    if value is _MISSING:
        return "-"
    text = repr(value)
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def environments(experiments: Sequence[Experiment]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Each fact of the machines and versions, with its values and the number of runs of each."""
    facts: dict[str, dict[str, int]] = {}
    for experiment in experiments:
        for run in experiment.summary["run"]:
            for result in experiment.results(run):
                recorded = result.get("environment")
                for key, value in (recorded if isinstance(recorded, Mapping) else {}).items():
                    counts = facts.setdefault(str(key), {})
                    counts[str(value)] = counts.get(str(value), 0) + 1
    return [(key, sorted(counts.items())) for key, counts in sorted(facts.items())]
