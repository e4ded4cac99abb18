"""Rows of the losses of students of several branches. A new loss adds one."""

from __future__ import annotations

from .row import Row, shift_each_peer, shift_each_sample

ROWS: dict[str, Row] = {
    "PeerTaskLoss": Row(invariant={"peer_logits": [shift_each_peer]}),
    "EnsembleTaskLoss": Row(invariant={"ensemble_logits": [shift_each_sample]}),
    "EnsembleDistillationLoss": Row(
        args={"detach": False},
        invariant={"peer_logits": [shift_each_peer], "peer_targets": [shift_each_peer]},
        wrong=({"temperature": 0},),
    ),
    "DMLLoss": Row(invariant={"peer_logits": [shift_each_peer]}, wrong=({"temperature": 0},)),
    "KDCLLoss": Row(
        invariant={"peer_logits": [shift_each_peer]},
        wrong=({"temperature": 0}, {"mode": "general"}),
    ),
    "ClassifierDiversityLoss": Row(),
    "FFLLoss": Row(
        invariant={"peer_logits": [shift_each_peer], "ensemble_logits": [shift_each_sample]},
        wrong=({"temperature": 0},),
    ),
    "PCLLoss": Row(
        constants=("ensemble_logits",),
        invariant={"peer_logits": [shift_each_peer], "mean_peer_logits": [shift_each_peer]},
        wrong=({"temperature": 0},),
    ),
}
