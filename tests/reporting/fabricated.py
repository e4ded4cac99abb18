"""Finished runs made up for tests: results and configs on disk, without training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_run(
    folder: Path, run: str, seed: int, score: float, method: str | None = None, **changes: Any
) -> None:
    """One run of one seed, as training leaves it."""
    folder.mkdir(parents=True)
    val = [(1, score / 2), (2, score + 1), (3, score - 1)]
    result = {
        "run": run,
        "seed": seed,
        "digest": f"{run}{seed}".encode().hex().ljust(64, "0"),
        "epochs": 3,
        "method": method or run,
        "teacher": {} if run in ("ce", "teacher") else {"0": {"accuracy/top1": 97.5}},
        "train": [{"epoch": 1, "loss": 2.1}],
        "val": [{"epoch": epoch, "accuracy/top1": value} for epoch, value in val],
        "checkpoint": "epoch_3.pth",
        "parameters": 1030,
        "environment": {"device": "CPU", "torch": "2.15.0"},
        "test": {"accuracy/top1": score},
        "wall_seconds": 10.0 + len(run) + seed,
        **changes,
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "config.py").write_text(
        f"model = {{'losses': {{{run!r}: {{'weight': 1.0}}}}, 'type': 'Distiller'}}\n"
        f"randomness = {{'deterministic': False, 'seed': {seed}}}\n"
    )


def write_pair(root: Path, scores: Mapping[str, Sequence[float]], **changes: Any) -> None:
    """A run for each name and a seed for each of its scores."""
    for run, values in scores.items():
        for seed, score in enumerate(values):
            write_run(root / run / f"seed_{seed}", run, seed, score, **changes)
