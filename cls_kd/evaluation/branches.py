"""Accuracy of branches and of their ensemble, and the diversity of branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from cls_kd.evaluation.ensembles import accuracy
from cls_kd.registry import METRICS


def diversity(peer_scores: Tensor) -> float:
    """Mean Euclidean distance of the predictions of two branches: over all pairs and all images.

    Args:
        peer_scores: Probabilities, (P, N, K).

    Returns:
        0 where all branches agree (and for a single branch), at most the square root of 2.
    """
    peers = len(peer_scores)
    pairs = [(a, b) for a in range(peers) for b in range(a + 1, peers)]
    gaps = [(peer_scores[a] - peer_scores[b]).norm(dim=1).mean() for a, b in pairs]
    return torch.stack(gaps).mean().item() if gaps else 0.0


@METRICS.register_module()
class PeerAccuracy(BaseMetric):
    """Top-1 of each branch, their mean, that of the ensemble, and the branches' diversity.

    Reads ``peer_scores`` and ``ensemble_score``, which ``MultiBranchClassifier`` writes into its
    predictions. For a network without branches it returns nothing: a config may compare both.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the branches' predictions of a batch."""
        for sample in data_samples:
            if "peer_scores" in sample:
                names = ("peer_scores", "ensemble_score", "gt_label")
                self.results.append({name: sample[name].cpu() for name in names})

    def evaluate(self, size: int) -> dict[str, float]:
        """As MMEngine's, which warns where there is nothing to measure."""
        return super().evaluate(size) if self.results else {}

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """``branch_0/top1``, ..., ``branches/mean_top1``, ``ensemble/top1``, ``diversity``."""
        peers = torch.stack([result["peer_scores"] for result in results], 1).float()  # (P, N, K)
        ensemble = torch.stack([result["ensemble_score"] for result in results]).float()
        labels = torch.cat([result["gt_label"] for result in results])
        each = [accuracy(scores, labels) for scores in peers]
        return {
            **{f"branch_{index}/top1": value for index, value in enumerate(each)},
            "branches/mean_top1": sum(each) / len(each),
            "branches/diversity": diversity(peers),
            "ensemble/top1": accuracy(ensemble, labels),
        }
