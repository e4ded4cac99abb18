"""Rows of the losses of students without a teacher. A new loss adds one."""

from __future__ import annotations

from .row import Row, shift_each_peer, shift_each_sample

ROWS: dict[str, Row] = {
    "IPWDSelfLoss": Row(
        wrong=(
            {"alpha": 1.5},
            {"beta": 0},
            {"start": -0.1},
            {"direction": "upwards"},
            {"clip": (10, 1)},
        ),
    ),
    "TfNKDLoss": Row(invariant={"student_logits": [shift_each_sample]}),
    "USKDLoss": Row(
        invariant={"student_logits": [shift_each_sample]},
        wrong=({"alpha": -1}, {"beta": -1}, {"mu": float("inf")}),
    ),
    "USKDTokenLoss": Row(
        invariant={"student_logits": [shift_each_sample]},
        wrong=({"alpha": -1}, {"beta": -1}, {"mu": float("inf")}),
    ),
    "TSDLoss": Row(
        args={"k": 3},
        invariant={"student_logits": [shift_each_sample]},
        wrong=({"k": 1}, {"k": 2.5}, {"k": 6}),
    ),
    "ConfidencePenaltyLoss": Row(invariant={"student_logits": [shift_each_sample]}),
    "LabelSmoothingLoss": Row(invariant={"student_logits": [shift_each_sample]}),
    "TfKDRegularizationLoss": Row(
        invariant={"student_logits": [shift_each_sample]},
        wrong=({"temperature": 0}, {"correct_prob": 0}, {"correct_prob": 1.1}),
    ),
    "PSKDLoss": Row(wrong=({"alpha": -0.1}, {"alpha": 1.1}), remembers=True),
    "CSKDLoss": Row(
        invariant={"student_logits": [shift_each_sample], "pair_logits": [shift_each_sample]},
        wrong=({"temperature": 0},),
    ),
    "DDGSDLoss": Row(
        invariant={"view_logits": [shift_each_peer]},
        wrong=({"temperature": 0}, {"mmd_weight": -1}),
    ),
    "ViewTaskLoss": Row(invariant={"view_logits": [shift_each_peer]}),
    "DLBLoss": Row(wrong=({"temperature": 0},), remembers=True),
    "ZipfLoss": Row(
        invariant={"student_logits": [shift_each_sample]},
        constants=("student_feature",),
        wrong=({"power": 0}, {"ranking": "vote"}),
    ),
    "OnlineLabelSmoothingLoss": Row(invariant={"student_logits": [shift_each_sample]}),
    "SDDropoutLoss": Row(wrong=({"rate": 0}, {"rate": 1}, {"temperature": 0})),
    "BYOTLoss": Row(
        constants=("student_logits", "student_embedding"),
        wrong=({"temperature": 0}, {"logit_weight": 1.5}, {"feature_weight": -1}),
    ),
    "MixSKDLoss": Row(
        invariant={"view_logits": [shift_each_peer]},
        wrong=({"temperature": 0},),
    ),
    "FRSKDLoss": Row(wrong=({"temperature": 0}, {"logit_weight": -1}, {"feature_weight": -1})),
}
