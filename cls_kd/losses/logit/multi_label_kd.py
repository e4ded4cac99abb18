"""MultiLabelKD: KL divergence from the teacher's probability of each class, one by one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class MultiLabelKDLoss(DistillLoss):
    r"""Match the teacher's probability of each class: KL divergence of K binary distributions.

    Paper: Yang et al. 2023, arXiv:2308.06453

    .. math:: L = T^2 \sum_k \mathrm{KL}\big(\mathrm{Bernoulli}(\sigma(z^t_k / T)) \,\|\,
              \mathrm{Bernoulli}(\sigma(z^s_k / T))\big)

    mean over the batch. It is for images with several labels, whose logits are trained by binary
    cross-entropy: a softmax over their classes means nothing.

    [0] P. Yang, M.-K. Xie, C.-C. Zong, L. Feng, G. Niu, M. Sugiyama, S.-J. Huang, "Multi-Label
        Knowledge Distillation", ICCV 2023, arXiv:2308.06453, whose first term it is at T = 1; its
        terms on embeddings of labels are not here.
    [1] Not compared with the authors' code; values from the formula.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperature: T. Default: that of [0].
    """

    search_space = search_over(temperature=TEMPERATURE)
    multi_label = True

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        student = student_logits / self.temperature
        teacher = teacher_logits.detach() / self.temperature
        probability = teacher.sigmoid()
        # Both outcomes of each class, from the logits, so that no logarithm is of 0.
        present = probability * (F.logsigmoid(teacher) - F.logsigmoid(student))
        absent = (1 - probability) * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
        return self.temperature**2 * (present + absent).sum(1).mean()
