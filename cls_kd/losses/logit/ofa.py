"""OFA: adaptive target enhancement for teachers of another architecture."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class OFALoss(DistillLoss):
    r"""Match logits with an enhanced target class, for a teacher of another architecture.

    Paper: Hao et al. 2023, arXiv:2310.19444

    .. math:: L = -\sum_c \big( (t_c + [c = y])^\gamma - [c = y] \big) \log s_c

    with s and t the softmaxes at temperature T and y the label; mean over the batch, without T^2.
    gamma = 1 is a cross-entropy with the teacher. The method has the same loss on classifiers that
    are attached to the student's stages as well; this is the term of its final logits.

    [0] Z. Hao, J. Guo, K. Han, Y. Tang, H. Hu, Y. Wang, C. Xu, "One-for-All: Bridge the Gap Between
        Heterogeneous Architectures in Knowledge Distillation", NeurIPS 2023, arXiv:2310.19444.
    [1] Hao840/OFAKD@f7bb896:distillers/ofa.py. Difference: the softmax is in logarithms.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        eps: gamma, 1 or more. Default: Swin-T to ResNet18 on CIFAR-100; 1.5 for DeiT-T to ResNet18
            on ImageNet.
        temperature: T. Default: CIFAR-100 and ImageNet.
    """

    search_space = search_over(eps=Range(1.0, 2.0), temperature=TEMPERATURE)

    def __init__(self, *, eps: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__()
        check_positive(self, eps=eps, temperature=temperature)
        self.eps = eps
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        student = F.log_softmax(student_logits / self.temperature, dim=1)
        teacher = F.softmax(teacher_logits.detach() / self.temperature, dim=1)
        target = F.one_hot(labels, teacher.shape[1]).to(teacher.dtype)
        enhanced = (teacher + target).pow(self.eps) - target
        return -(enhanced * student).sum(1).mean()
