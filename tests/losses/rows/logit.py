"""Rows of the losses of logits. A new loss adds one."""

from __future__ import annotations

from .row import SHIFT, SHIFT_AND_SCALE, Row, shift_each_sample

ROWS: dict[str, Row] = {
    "TaskLoss": Row(invariant={"student_logits": [shift_each_sample]}),
    "KDLoss": Row(
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"temperature": -1.0}, {"temperature": "4"}),
    ),
    "DKDLoss": Row(
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"alpha": -1.0}, {"beta": float("nan")}),
    ),
    "NKDLoss": Row(invariant=SHIFT, wrong=({"temperature": 0}, {"gamma": -1})),
    "DISTLoss": Row(
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"beta": -1}, {"gamma": -1}),
    ),
    "StandardizedLogitsLoss": Row(
        args={"loss": {"type": "KDLoss", "temperature": 2.0}},
        zero_at_equality=True,
        invariant=SHIFT_AND_SCALE,
        wrong=(
            {"loss": {"type": "KDLoss", "weight": 2}},
            {"loss": {"type": "KDLoss", "teacher": 0}},
            {"loss": {"type": "RKDLoss"}},
            {"loss": {"type": "LinearClsHead", "num_classes": 2, "in_channels": 2}},
        ),
    ),
    "IPWDLoss": Row(
        invariant=SHIFT,
        wrong=(
            {"temperature": 0},
            {"alpha": -1},
            {"beta": 0},
            {"start": 1.5},
            {"direction": "upwards"},
            {"clip": (10, 1)},
            {"clip": (2,)},
        ),
    ),
    "LogitMSELoss": Row(zero_at_equality=True),
    "WSLDLoss": Row(invariant=SHIFT, wrong=({"temperature": 0}, {"temperature": -1.0})),
    "CWTMLoss": Row(invariant=SHIFT),
    "DKPPLoss": Row(),
    "OFAExitsLoss": Row(
        args={"loss": {"type": "KDLoss", "temperature": 1.0}},
        wrong=({"loss": {"type": "RKDLoss"}}, {"loss": {"type": "KDLoss", "weight": 2}}),
    ),
    "DiffKDLogitLoss": Row(
        wrong=({"temperature": 0}, {"inference_steps": 0}, {"train_steps": 15}),
    ),
}
