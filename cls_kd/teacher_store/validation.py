"""The teacher's metrics on validation data, stored beside its outputs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cls_kd.files import write_atomically
from cls_kd.teacher_store.folder import key_of


class StoredMetrics:
    """Metrics of a teacher on one data set, measured once.

    Args:
        folder: Of the store.
        parts: Everything that the metrics depend on beside the store's key: data and evaluator.
    """

    def __init__(self, folder: Path, parts: Mapping[str, Any]) -> None:
        self._file = folder / f"metrics_{key_of(parts)}.json"

    def read(self) -> dict[str, float] | None:
        """The metrics; None if they have not been measured, or the file is damaged."""
        try:
            metrics = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        numbers = isinstance(metrics, dict) and all(
            isinstance(value, float) and math.isfinite(value) for value in metrics.values()
        )
        return metrics if numbers else None

    def write(self, metrics: Mapping[str, float]) -> None:
        """Keep metrics."""
        write_atomically(self._file, json.dumps(dict(metrics)))
