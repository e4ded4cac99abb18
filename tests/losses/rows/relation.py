"""Rows of the losses of relations between samples. A new loss adds one."""

from __future__ import annotations

from .row import Row, rotate, scale_all, shift_all

ROWS: dict[str, Row] = {
    "RKDLoss": Row(
        zero_at_equality=True,
        invariant={
            "student_embedding": [rotate, scale_all, shift_all],
            "teacher_embedding": [rotate, scale_all, shift_all],
        },
        wrong=({"angle_weight": -1}, {"distance_weight": -1}),
    ),
    "SPLoss": Row(zero_at_equality=True),
    "PKTLoss": Row(
        zero_at_equality=True,
        invariant={"student_embedding": [rotate, scale_all], "teacher_embedding": [scale_all]},
    ),
    "CorrelationCongruenceLoss": Row(args={"dim": 4}, wrong=({"dim": 0},)),
    "ITRDLoss": Row(wrong=({"alpha": 0}, {"correlation_weight": -1}, {"mutual_weight": -1})),
    "SRDLoss": Row(
        invariant={"teacher_embedding": [scale_all, shift_all]},
        args={"eps": 0.0},
        wrong=({"form": "correlations"}, {"power": 0}, {"eps": -1}),
    ),
    "RRDLoss": Row(
        args={"dim": 8, "size": 16},
        wrong=({"dim": 0}, {"size": 0}, {"student_temperature": 0}, {"teacher_temperature": 0}),
    ),
    "QueueSimilarityLoss": Row(
        args={"size": 16},
        wrong=({"size": 0}, {"student_temperature": 0}, {"teacher_temperature": 0}),
    ),
    "InstanceCRDLoss": Row(args={"dim": 8, "negatives": 16}, wrong=({"dim": 0},)),
    "SSKDLoss": Row(
        wrong=(
            {"temperature": 0},
            {"similarity_temperature": 0},
            {"keep_wrong_similarity": 1.5},
            {"similarity_weight": -1},
        ),
    ),
    "HSAKDLoss": Row(args={"views": 2}, wrong=({"temperature": 0}, {"views": 0})),
    "CRDLoss": Row(
        args={"dim": 8, "negatives": 16},
        wrong=({"dim": 0}, {"negatives": 0}, {"temperature": 0}, {"momentum": 1.0}),
    ),
}
