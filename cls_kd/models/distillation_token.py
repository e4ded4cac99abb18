"""The head of a vision transformer with a distillation token, in a form that can be trained."""

from __future__ import annotations

from typing import Any

from mmpretrain.models.heads import DeiTClsHead
from torch import Tensor

from cls_kd.registry import MODELS


@MODELS.register_module()
class DistillationTokenHead(DeiTClsHead):
    """One linear classifier for the class token and one for the distillation token.

    The logits are the mean of both, as in mmpretrain's ``DeiTClsHead``, whose weights fit; that one
    warns in training. For training, ``student_class_token_logits`` and
    ``student_distillation_token_logits`` are the logits of each. The backbone is mmpretrain's
    ``DistilledVisionTransformer``.
    """

    def forward(self, feats: Any) -> Tensor:
        class_token, distillation_token = self.pre_logits(feats)
        return (self.layers.head(class_token) + self.layers.head_dist(distillation_token)) / 2
