"""Stored labels: the teacher's top probabilities, as a file of labels keeps them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss


class StoredLabelLoss(DistillLoss):
    r"""Learn soft labels of which only the teacher's top probabilities are known.

    Paper: Shen and Xing 2022, arXiv:2112.01528

    .. math:: L = -\sum_c \tilde t_c \log s_c, \quad \tilde t_c = t_c \;\; (c \in top), \quad
              \tilde t_c = \frac{1 - \sum_{j \in top} t_j}{K - k} \;\; (c \notin top)

    with s and t the softmaxes at temperature 1 and top the k largest t; mean over the batch.
    It is what training on stored labels of the kind ``marginal_smoothing`` computes, with a teacher
    that is still at hand.

    [0] Z. Shen, E. Xing, "A Fast Knowledge Distillation Framework for Visual Recognition", ECCV
        2022, arXiv:2112.01528.
    [1] szq0214/FKD@afd5294:FKD/utils_FKD.py. No difference in value; labels are not rounded here,
        where [1] in half precision also rounds the indices of classes above 2,048.
        TinyViT (microsoft/Cream@4a13c40) restores its labels in the same way, with k = 100.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        top: k; of fewer classes, all. Default: ImageNet.
    """

    def __init__(self, *, top: int = 5) -> None:
        super().__init__()
        if not isinstance(top, int) or top < 1:
            raise UserError(
                f"{type(self).__name__}: top must be a whole number of 1 or more, not {top!r}."
            )
        self.top = top

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        probabilities = F.softmax(teacher_logits.detach(), dim=1)
        classes = probabilities.shape[1]
        values, places = probabilities.topk(min(self.top, classes), dim=1)
        rest = (1 - values.sum(1, keepdim=True)) / max(classes - self.top, 1)
        targets = rest.expand_as(probabilities).scatter(1, places, values)
        return F.cross_entropy(student_logits, targets)
