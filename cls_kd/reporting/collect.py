"""Read what finished runs left on disk: one ``result.json`` for each run and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from cls_kd.errors import UserError, did_you_mean
from cls_kd.reporting.metrics import DEFAULT, Metric, metric_of

PATTERNS = ("result.json", "*/result.json", "*/seed_*/result.json")
"""Where the runs of a folder write their results."""

_T = TypeVar("_T")
_REQUIRED = ("run", "seed", "epochs", "val")


class Collected(NamedTuple):
    """The results of all runs under a root.

    Attributes:
        runs: One row a run and seed, in order of run and seed: ``run``, ``seed``, ``method``,
            ``epochs``, ``last`` (validation at the last epoch), ``best`` and ``best_epoch``,
            ``test`` (NaN where not tested), ``teacher`` (its score on the validation split; NaN
            without one), ``taught`` (whether there was one that was measured),
            ``seconds``, ``parameters``, ``checkpoint``, ``path``.
        curves: One row a run, seed and validated epoch: ``run``, ``seed``, ``epoch``, ``val``.
        metric: The metric in ``last``, ``best``, ``test``, ``teacher`` and ``val``.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    metric: Metric


def collect(
    root: str | Path, files: Sequence[Path] | None = None, metric: str | None = None
) -> Collected:
    """Gather the results of a run, or of the runs of an experiment.

    A run that has no name, because its config is one run, is named after its folder.

    Args:
        root: Folder of one run, or of an experiment: ``result.json``, ``<run>/result.json`` and
            ``<run>/seed_<k>/result.json`` are found.
        files: Only these results; a folder may hold runs of an earlier plan. Default: all.
        metric: Which metric to take from ``val``, ``test`` and ``teacher``. Default:
            ``accuracy/top1`` where a run has it, else the first metric there is.

    Raises:
        UserError: There is no finished run, a file is damaged, a run and seed come twice, or no
            run has the metric.
    """
    root = Path(root)
    files = results_under(root) if files is None else files
    if not files:
        raise UserError(
            f"No finished run under {root}: expected result.json, <run>/result.json or "
            "<run>/seed_<k>/result.json."
        )
    results = {file: _guarded(file, partial(_read, file)) for file in files}
    metric = _choose(metric, results)
    rows, curves = [], []
    for file, result in results.items():
        rows.append(_guarded(file, partial(_row, file, result, metric)))
        curves.append(_guarded(file, partial(_curve, result, metric)))
    runs = pd.DataFrame(rows).sort_values(["run", "seed"], ignore_index=True)
    twice = runs[runs.duplicated(["run", "seed"], keep=False)]
    if len(twice):
        raise UserError(f"The same run and seed come twice: {', '.join(twice['path'])}.")
    return Collected(runs, pd.concat(curves, ignore_index=True), metric_of(metric))


def results_under(root: Path) -> list[Path]:
    """The ``result.json`` files of the runs of a folder, in order."""
    return sorted(file for pattern in PATTERNS for file in root.glob(pattern))


def _read(file: Path) -> dict[str, Any]:
    """The result, with a name and the keys of the metrics that it has."""
    result = json.loads(file.read_text(encoding="utf-8"))
    missing = [key for key in _REQUIRED if key not in result]
    if missing:
        raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}. Run it again.")
    scores = (*result["val"], result.get("test") or {})
    metrics = dict.fromkeys(key for entry in scores for key, _ in entry.items() if key != "epoch")
    return {**result, "run": str(result["run"]) or file.parent.name, "metrics": list(metrics)}


def _guarded(file: Path, read: Callable[[], _T]) -> _T:
    """Result of ``read``; its errors name the file."""
    try:
        return read()
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise UserError(
            f"{file} is damaged ({type(error).__name__}: {error}). Run it again, or remove it."
        ) from error


def _choose(metric: str | None, results: Mapping[Path, dict[str, Any]]) -> str:
    known = [key for result in results.values() for key in result["metrics"]]
    if metric is None:
        return DEFAULT if DEFAULT in known or not known else known[0]
    if metric not in known:
        raise UserError(f"No run has the metric {metric!r}.{did_you_mean(metric, set(known))}")
    return metric


def _row(file: Path, result: dict[str, Any], metric: str) -> dict[str, Any]:
    val = {_moment(entry): float(entry[metric]) for entry in _validated(result, metric)}
    best_epoch = max(val, key=lambda epoch: val[epoch]) if val else None
    teachers = [
        scores[metric] for scores in (result.get("teacher") or {}).values() if metric in scores
    ]
    test = result.get("test") or {}
    return {
        "run": str(result["run"]),
        "seed": int(result["seed"]),
        "method": result.get("method", ""),
        "epochs": int(result["epochs"]),
        "last": val[max(val)] if val else float("nan"),
        "best": val[best_epoch] if best_epoch is not None else float("nan"),
        "best_epoch": float("nan") if best_epoch is None else best_epoch,
        "test": float(test[metric]) if metric in test else float("nan"),
        "taught": bool(result.get("teacher")),
        "teacher": float(max(teachers)) if teachers else float("nan"),
        "seconds": float(result.get("wall_seconds") or "nan"),
        "parameters": result.get("parameters"),
        "checkpoint": result.get("checkpoint"),
        "path": str(file),
    }


def _validated(result: dict[str, Any], metric: str) -> list[dict[str, Any]]:
    """The validations; none where no one of them has the metric."""
    return result["val"] if any(metric in entry for entry in result["val"]) else []


def _moment(entry: dict[str, Any]) -> int:
    """The epoch of an entry of the history, or the iteration where these were counted."""
    return int(entry["epoch"] if "epoch" in entry else entry["iter"])


def _curve(result: dict[str, Any], metric: str) -> pd.DataFrame:
    entries = [
        {
            "run": str(result["run"]),
            "seed": int(result["seed"]),
            "epoch": _moment(entry),
            "val": float(entry[metric]),
        }
        for entry in _validated(result, metric)
    ]
    curve = pd.DataFrame(entries, columns=["run", "seed", "epoch", "val"])
    return curve.astype({"seed": int, "epoch": int, "val": float})  # also where it is empty
