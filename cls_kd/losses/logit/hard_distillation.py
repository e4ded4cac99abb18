"""DeiT: hard distillation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class HardDistillationLoss(DistillLoss):
    r"""Learn the class that the teacher predicts, as a hard label.

    Paper: Touvron et al. 2021, arXiv:2012.12877

    .. math:: L = \mathrm{CE}(z^s, \mathrm{argmax}_c z^t_c)

    mean over the batch. In DeiT the student's logits are those of its distillation token.

    [0] H. Touvron, M. Cord, M. Douze, F. Massa, A. Sablayrolles, H. Jegou, "Training data-efficient
        image transformers & distillation through attention", ICML 2021, arXiv:2012.12877.
    [1] facebookresearch/deit@7e160fe:losses.py, its distillation_type 'hard'. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Weight:
        0.5, with 0.5 for cross-entropy.
    """

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return F.cross_entropy(student_logits, teacher_logits.detach().argmax(1))
