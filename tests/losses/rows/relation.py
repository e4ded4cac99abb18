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
    "CRDLoss": Row(
        args={"dim": 8, "negatives": 16},
        wrong=({"dim": 0}, {"negatives": 0}, {"temperature": 0}, {"momentum": 1.0}),
    ),
}
