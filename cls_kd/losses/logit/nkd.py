"""NKD: normalized distillation of non-target classes."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import decouple, softened_cross_entropy_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class NKDLoss(DistillLoss):
    r"""Split KD's cross-entropy into a target-class term and a normalized non-target-class term.

    Paper: Yang et al. 2023, arXiv:2303.13005

    .. math:: L = -t_y \log s_y + \gamma \lambda^2 H(\hat t^{(\lambda)}, \hat s^{(\lambda)})

    with s and t the softmaxes at temperature 1, y the label, and the hats the softmaxes at
    temperature lambda over the K-1 other classes; mean over the batch.

    [0] Z. Yang, A. Zeng, Z. Li, T. Zhang, C. Yuan, Y. Li, "From Knowledge Distillation to
        Self-Knowledge Distillation: A Unified Approach with Normalized Loss and Customized Soft
        Labels", ICCV 2023, arXiv:2303.13005.
    [1] yzd-v/cls_KD@1e5d48f:mmcls/models/dis_losses/nkd.py, in which the label's class is removed
        (versions from July to October 2023 kept it). No difference in value.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperature: lambda. Default: ImageNet; 3 for ResNet34 to ResNet18 on CIFAR-100.
        gamma: gamma. Default: ImageNet, convolutional networks; 3.5 for that CIFAR-100 pair.
    """

    search_space = search_over(temperature=TEMPERATURE, gamma=Range(0.1, 10.0, log=True))

    def __init__(self, *, temperature: float = 1.0, gamma: float = 1.5) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_not_negative(self, gamma=gamma)
        self.temperature, self.gamma = temperature, gamma

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        target, non_target = self._parts(student_logits, teacher_logits.detach(), labels)
        return dict(loss_target=target.mean(), loss_non_target=non_target.mean())

    def per_sample(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """The sum of both terms of each sample, (N,)."""
        target, non_target = self._parts(student_logits, teacher_logits.detach(), labels)
        return target + non_target

    def _parts(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        student, student_rest = decouple(student_logits, labels)
        teacher, teacher_rest = decouple(teacher_logits, labels)
        non_target = softened_cross_entropy_each(student_rest, teacher_rest, self.temperature)
        return -teacher[:, 0].exp() * student[:, 0], self.gamma * non_target
