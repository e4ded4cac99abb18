"""Rows of the losses of several teachers. A new loss adds one."""

from __future__ import annotations

from .row import Row, shift_each_peer, shift_each_sample

SHIFT = {"student_logits": [shift_each_sample], "all_teacher_logits": [shift_each_peer]}
ROWS: dict[str, Row] = {
    "AverageTeachersLoss": Row(invariant=SHIFT, wrong=({"temperature": 0},)),
    "EntropyTeachersLoss": Row(invariant=SHIFT, wrong=({"temperature": 0},)),
    "ConfidenceTeachersLoss": Row(invariant=SHIFT, wrong=({"temperature": 0},)),
    "ConfidenceTeachersFeatureLoss": Row(),
    "AEKDLoss": Row(
        invariant=SHIFT, wrong=({"temperature": 0}, {"tolerance": 1.5}, {"tolerance": 0.3})
    ),
    "UNICLoss": Row(
        args={"steps": 1, "dropping": 0.0},
        wrong=(
            {"dropping": 1.5},
            {"steps": 0},
            {"distance": "cosin"},
            {"head": "conv"},
            {"standardization": "phi"},
        ),
        waits="the eigenvalue decomposition of the first steps",
    ),
    "UNICPatchLoss": Row(
        args={"steps": 1, "dropping": 0.0, "standardization": "variance"},
        wrong=({"dropping": -1},),
    ),
    "DGKDLoss": Row(wrong=({"temperature": 0}, {"dropped": -1}, {"dropped": 3})),
}
