"""Rows of the losses of vision transformers. A new loss adds one."""

from __future__ import annotations

from .row import Row, shift_each_sample

ROWS: dict[str, Row] = {
    "ClassTokenTaskLoss": Row(
        invariant={"student_class_token_logits": [shift_each_sample]},
    ),
    "DistillationTokenLoss": Row(
        args={"loss": {"type": "KDLoss", "temperature": 2.0}},
        invariant={"student_distillation_token_logits": [shift_each_sample]},
        wrong=({"loss": {"type": "RKDLoss"}}, {"loss": {"type": "KDLoss", "weight": 2}}),
    ),
    "VkDLoss": Row(),
    "ManifoldLoss": Row(
        args={"blocks": [(0, 0), (-1, -1)]},
        wrong=(
            {"w_sample": -1},
            {"w_patch": -1},
            {"w_rand": -1},
            {"k": 0},
            {"blocks": [2]},
            {"blocks": None},
        ),
    ),
    "CumulativeSpatialLoss": Row(
        wrong=({"kind": "firm"}, {"decay": "cosine"}, {"temperature": 0}),
    ),
    "ViTKDLoss": Row(
        wrong=({"alpha": -1}, {"beta": -1}, {"mask_ratio": 0}, {"mask_ratio": 1.0}),
    ),
}
