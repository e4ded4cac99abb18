"""Read what finished runs left on disk: one ``result.json`` for each run and seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cls_kd.errors import UserError

METRIC = "accuracy/top1"
"""The figure that every table and plot is about."""

_REQUIRED = ("run", "seed", "epochs", "val")


class Collected(NamedTuple):
    """Everything that was found under a root.

    Attributes:
        runs: One row a run and seed, in order of run and seed: ``run``, ``seed``, ``method``,
            ``epochs``, ``last`` (validation at the last epoch), ``best`` and ``best_epoch``,
            ``test`` (NaN where not tested), ``teacher`` (its accuracy; NaN without one),
            ``seconds``, ``parameters``, ``checkpoint``, ``path``.
        curves: One row a run, seed and validated epoch: ``run``, ``seed``, ``epoch``, ``val``.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame


def collect(
    root: str | Path, files: Sequence[Path] | None = None, metric: str = METRIC
) -> Collected:
    """Gather ``<root>/<run>/result.json`` and ``<root>/<run>/seed_<k>/result.json``.

    Args:
        root: Folder of an experiment.
        files: Only these results; a folder may hold runs of an earlier plan. Default: all.
        metric: Which figure to take from ``val``, ``test`` and ``teacher``.

    Raises:
        UserError: There is no finished run, a file is damaged, or a run and seed come twice.
    """
    root = Path(root)
    if files is None:
        files = sorted([*root.glob("*/result.json"), *root.glob("*/seed_*/result.json")])
    if not files:
        raise UserError(
            f"No finished run under {root}: expected <run>/result.json or "
            "<run>/seed_<k>/result.json."
        )
    rows, curves = [], []
    for file in files:
        row, curve = _read(file, metric)
        rows.append(row)
        curves.append(curve)
    runs = pd.DataFrame(rows).sort_values(["run", "seed"], ignore_index=True)
    twice = runs[runs.duplicated(["run", "seed"], keep=False)]
    if len(twice):
        raise UserError(f"The same run and seed come twice: {', '.join(twice['path'])}.")
    return Collected(runs, pd.concat(curves, ignore_index=True))


def _read(file: Path, metric: str) -> tuple[dict[str, Any], pd.DataFrame]:
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        missing = [key for key in _REQUIRED if key not in result]
        if missing:
            raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}. Run it again.")
        return _row(file, result, metric), _curve(result, metric)
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UserError(
            f"{file} is damaged ({type(error).__name__}: {error}). Run it again, or remove it."
        ) from error


def _row(file: Path, result: dict[str, Any], metric: str) -> dict[str, Any]:
    val = {_moment(entry): float(entry[metric]) for entry in result["val"]}
    best_epoch = max(val, key=lambda epoch: val[epoch]) if val else None
    teachers = [figures[metric] for figures in (result.get("teacher") or {}).values()]
    test = result.get("test")
    return {
        "run": str(result["run"]),
        "seed": int(result["seed"]),
        "method": result.get("method", ""),
        "epochs": int(result["epochs"]),
        "last": val[max(val)] if val else float("nan"),
        "best": val[best_epoch] if best_epoch is not None else float("nan"),
        "best_epoch": float("nan") if best_epoch is None else best_epoch,
        "test": float(test[metric]) if test else float("nan"),
        "teacher": float(max(teachers)) if teachers else float("nan"),
        "seconds": float(result.get("wall_seconds") or "nan"),
        "parameters": result.get("parameters"),
        "checkpoint": result.get("checkpoint"),
        "path": str(file),
    }


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
        for entry in result["val"]
    ]
    curve = pd.DataFrame(entries, columns=["run", "seed", "epoch", "val"])
    return curve.astype({"seed": int, "epoch": int, "val": float})  # also where it is empty
