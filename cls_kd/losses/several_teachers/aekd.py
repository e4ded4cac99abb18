"""AEKD: agreement of several teachers in the space of gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import shortest_combination, teacher_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_fraction, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.signals.shapes import SignalShapes


class AEKDLoss(DistillLoss):
    r"""Match several teachers' softened predictions, weighted so that their gradients agree.

    Paper: Du et al. 2020, NeurIPS 2020

    .. math:: L = T^2 \sum_t w_t \, \mathrm{KL}(\mathrm{softmax}(z_t / T) \,\|\,
              \mathrm{softmax}(z / T)), \quad
              w = \mathrm{argmin}_w \Big\| \sum_t w_t g_t \Big\|^2, \quad
              \sum_t w_t = 1, \; 0 \le w_t \le C

    with g_t the gradient of teacher t's loss by the student's logits, its mean over the batch; the
    loss is a mean over the batch. The weights, constants, are solved exactly on the device, for the
    batch of each process; for P teachers that is one linear system of P + 1 unknowns for each of
    less than 3^P faces.

    [0] S. Du, S. You, X. Li, J. Wu, F. Wang, C. Qian, C. Zhang, "Agree to Disagree: Adaptive
        Ensemble Knowledge Distillation in Gradient Space", NeurIPS 2020.
    [1] AnTuo1998/AE-KD@68f490e:helper/optimization.py, which solves the same as a one-class SVM
        with an absolute tolerance of 1e-6. Checked where gradients are large enough for it; with
        usual batches it stops where it starts, with a weight of C for the first teacher.
        The variant on feature maps is not here.

    Shapes:
        student_logits: (N, K).
        all_teacher_logits: (P, N, K), P * C at least 1.

    Args:
        temperature: T. Default: CIFAR-100.
        tolerance: C, the largest weight of a teacher. Default: CIFAR-100.

    Weight:
        0.9 on CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE, tolerance=Range(0.1, 1.0))

    stateless = True

    def __init__(self, *, temperature: float = 4.0, tolerance: float = 0.6) -> None:
        super().__init__()
        check_positive(self, temperature=temperature, tolerance=tolerance)
        check_fraction(self, tolerance=tolerance)
        self.temperature = temperature
        self.tolerance = tolerance

    def build(self, shapes: SignalShapes) -> None:
        teachers = shapes.tensor("all_teacher_logits")[0]
        if teachers * self.tolerance < 1:
            raise UserError(
                f"AEKDLoss: the weights of {teachers} teachers, of at most {self.tolerance} each, "
                f"cannot sum to 1: with {teachers} teachers tolerance must be {1 / teachers:.3g} "
                "or more."
            )

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor) -> Tensor:
        teachers = all_teacher_logits.detach()
        weights = self._weights(student_logits.detach(), teachers)
        losses = teacher_kl_each(student_logits, teachers, self.temperature).mean(1)
        return (weights * losses).sum()

    def _weights(self, student_logits: Tensor, teachers: Tensor) -> Tensor:
        student, targets = (
            F.softmax(logits / self.temperature, dim=-1) for logits in (student_logits, teachers)
        )
        gradients = (student - targets).mean(1)  # (P, K), up to a factor
        with torch.no_grad():
            return shortest_combination(gradients, self.tolerance)
