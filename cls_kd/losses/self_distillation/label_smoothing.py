"""Label smoothing as a separate loss term."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class LabelSmoothingLoss(DistillLoss):
    r"""Match the uniform class distribution: label smoothing as a separate loss term.

    Paper: Szegedy et al. 2016, arXiv:1512.00567

    .. math:: L = \mathrm{KL}(u \,\|\, f) = -\log K - \frac{1}{K} \sum_c \log f_c

    with u = 1/K and f the softmax at temperature 1; mean over the batch. Two targets are called
    label smoothing. With the label's class at 1 - eps + eps/K and the others at eps/K [0], it is
    cross-entropy of weight 1 - eps and this of weight eps, less the constant eps log K. With 1 -
    eps' and eps'/(K-1), as in [1], it is the same for eps = eps' K/(K-1).

    The data preprocessor's ``LabelSmoothing`` smooths the targets for everything that looks at
    them, also under mixup. This term leaves the labels hard and has a weight, a schedule and a line
    in the log of its own: as one of several ways to make a first generation tolerant.

    [0] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
        Architecture for Computer Vision", CVPR 2016, arXiv:1512.00567.
    [1] yuanli2333/Teacher-free-Knowledge-Distillation@d000ab3:my_loss_function.py.

    Shapes:
        student_logits: (N, K).
    """

    group = "task"

    def forward(self, student_logits: Tensor) -> Tensor:
        log_scores = F.log_softmax(student_logits, dim=1)
        return -math.log(log_scores.shape[1]) - log_scores.mean()
