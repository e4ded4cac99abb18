"""Rows of the losses of logits. A new loss adds one."""

from __future__ import annotations

from .row import (
    SHIFT,
    SHIFT_AND_SCALE,
    Row,
    scale_each_sample,
    shift_all,
    shift_each_peer,
    shift_each_sample,
)

ROWS: dict[str, Row] = {
    "MultiLabelKDLoss": Row(zero_at_equality=True, wrong=({"temperature": 0},)),
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
    "OFATokenExitsLoss": Row(
        args={"loss": {"type": "KDLoss", "temperature": 1.0}, "heads": 2},
        wrong=(
            {"loss": {"type": "RKDLoss"}},
            {"loss": {"type": "KDLoss"}, "heads": 0},
        ),
    ),
    "DiffKDLogitLoss": Row(
        wrong=({"temperature": 0}, {"inference_steps": 0}, {"train_steps": 15}),
    ),
    "TTMLoss": Row(invariant=SHIFT, wrong=({"power": 0}, {"power": "0.1"})),
    "WTTMLoss": Row(invariant=SHIFT, wrong=({"power": 0}, {"power": "0.1"})),
    "RLDLoss": Row(
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"alpha": -1.0}, {"beta": -1.0}),
    ),
    "LumiNetLoss": Row(
        zero_at_equality=True,
        invariant={"student_logits": [shift_all]},
        wrong=({"temperature": 0}, {"alpha": 0}),
    ),
    "NormKDLoss": Row(
        args={"loss": {"type": "KDLoss", "temperature": 2.0}},
        zero_at_equality=True,
        invariant={"student_logits": [shift_each_sample, scale_each_sample]},
        wrong=(
            {"loss": {"type": "KDLoss", "temperature": 0}},
            {"loss": {"type": "DISTLoss"}},
        ),
    ),
    "NTCEKDLoss": Row(
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"factors": ()}, {"factors": 2.0}, {"factors": ("1",)}),
    ),
    "ABKDLoss": Row(
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"alpha": -0.1}, {"beta": -0.1}, {"alpha": 0, "beta": 0}),
    ),
    "GradientScaledLoss": Row(
        args={"loss": {"type": "DKDLoss"}},
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=(
            {"scale": 0},
            {"slope": "0.6"},
            {"confidence_temperature": 0},
            {"loss": {"type": "RKDLoss"}},
        ),
    ),
    "LDRLDLoss": Row(
        args={"k": 3},
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"alpha": -1}, {"beta": -1}, {"k": 1}, {"k": 2.5}),
    ),
    "SDDLoss": Row(
        args={"loss": {"type": "NKDLoss"}},
        wrong=(
            {"grids": ()},
            {"grids": (2, 4)},
            {"grids": 4},
            {"loss": {"type": "DISTLoss"}},
            {"loss": {"type": "RKDLoss"}},
        ),
    ),
    "WKDLogitLoss": Row(
        invariant=SHIFT,
        wrong=(
            {"gamma": -1},
            {"temperature": 0},
            {"sharpness": 0},
            {"sinkhorn_lambda": 0},
            {"sinkhorn_iterations": 0},
            {"decay_start": 1.5},
        ),
    ),
    "BatchCorrelationLoss": Row(
        args={"temperature": 1.0},
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0},),
    ),
    "ClassCorrelationLoss": Row(
        args={"temperature": 1.0},
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0},),
    ),
    "MLKDLoss": Row(
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperatures": ()}, {"temperatures": (4.0, 0.0)}, {"temperatures": 4.0}),
    ),
    "SLDLoss": Row(
        args={"student_start": 0.0},
        invariant=SHIFT,
        wrong=({"temperatures": ()}, {"temperatures": (0.0,)}, {"student_start": 2}),
    ),
    "CTKDLoss": Row(
        invariant=SHIFT,
        wrong=({"start": 0}, {"width": -1}, {"ramp": -0.1}),
    ),
    "CRLDLoss": Row(
        args={"weak_threshold": 0.3},
        invariant={
            "view_logits": [shift_each_peer],
            "teacher_view_logits": [shift_each_peer],
        },
        wrong=(
            {"within_weight": -1},
            {"cross_weight": -1},
            {"weak_threshold": 1.5},
            {"strong_threshold": -0.1},
            {"temperature": 0},
        ),
    ),
    "DeepKDTargetLoss": Row(zero_at_equality=True, invariant=SHIFT, wrong=({"temperature": 0},)),
    "DeepKDNonTargetLoss": Row(
        args={"top": 3},
        zero_at_equality=True,
        invariant=SHIFT,
        wrong=({"temperature": 0}, {"top": 1}, {"top": 2.5}),
    ),
    "OFALoss": Row(invariant=SHIFT, wrong=({"eps": 0}, {"temperature": 0})),
    "HardDistillationLoss": Row(invariant=SHIFT),
    "SoftDistillationLoss": Row(
        zero_at_equality=True, invariant=SHIFT, wrong=({"temperature": 0},)
    ),
    "AnnealingKDLoss": Row(wrong=({"max_temperature": 0}, {"max_temperature": 2.5})),
    "StoredLabelLoss": Row(args={"top": 2}, invariant=SHIFT, wrong=({"top": 0}, {"top": 2.5})),
    "EveryViewLoss": Row(
        args={"loss": {"type": "MLKDLoss"}},
        invariant={
            "view_logits": [shift_each_peer],
            "teacher_view_logits": [shift_each_peer],
        },
        wrong=({"loss": {"type": "RKDLoss"}}, {"loss": {"type": "KDLoss", "weight": 2}}),
    ),
}
