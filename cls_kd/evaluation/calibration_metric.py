"""Calibration of a network as a metric of validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from cls_kd.evaluation.calibration import expected_calibration_error
from cls_kd.registry import METRICS


@METRICS.register_module()
class CalibrationError(BaseMetric):
    """Expected calibration error (ECE) in percent, 15 bins of equal width; 0 is best.

    With ``val_evaluator = [dict(type=Accuracy), dict(type=CalibrationError)]`` the results have
    ``calibration/ece`` of students and of teachers, beside the accuracy.
    """

    default_prefix = "calibration"

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the probabilities and labels of a batch."""
        self.results += [
            (sample["pred_score"].cpu(), sample["gt_label"].cpu()) for sample in data_samples
        ]

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The error over all images."""
        probabilities = torch.stack([probability for probability, _ in results])
        labels = torch.cat([label for _, label in results])
        return {"ece": 100 * expected_calibration_error(probabilities, labels)}
