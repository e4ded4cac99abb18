"""CAT-KD: class attention transfer."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import class_activation_map
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import Choice, search_over


class CATLoss(DistillLoss):
    r"""Match the class activation maps of the teacher, pooled to a few cells.

    Paper: Guo et al. 2023, arXiv:2304.12777

    .. math:: L = \mathrm{mean} \, (\phi(p(A^s)) - \phi(p(A^t)))^2

    with A the class activation maps, the classifier without its bias at each position of the last
    feature map; p average pooling to ``resolution`` x ``resolution`` cells, and phi the
    L2-normalization of each class's map over its cells, or nothing.

    [0] Z. Guo, H. Yan, H. Li, X. Lin, "Class Attention Transfer Based Knowledge Distillation",
        CVPR 2023, arXiv:2304.12777.
    [1] GzyAftermath/CAT-KD@4467073:mdistiller/distillers/CAT_KD.py. Differences: there, the
        student's classifier has no bias; here, networks stay as they are and the bias is only left
        out of the maps. Maps are pooled before the classifier, which changes nothing, since both
        are linear. The teacher's maps of few or binarized classes, for analysis in [1], are left
        out.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        resolution: Cells along each side. Default: most pairs of CIFAR-100; 4 for ShuffleNets.
        normalize: Whether each class's map is normalized. Default: pairs of different architectures
            on CIFAR-100; not for the same kind of network.

    Weight:
        15 for ResNet32x4 to ResNet8x4, 600 for ResNet32x4 to ShuffleNetV1 on CIFAR-100.
    """

    search_space = search_over(resolution=Choice((2, 4)), normalize=Choice((True, False)))

    def __init__(self, *, resolution: int = 2, normalize: bool = True) -> None:
        super().__init__()
        check_positive(self, resolution=resolution)
        self.resolution = resolution
        self.normalize = normalize

    def forward(
        self,
        student_feature: Tensor,
        teacher_feature: Tensor,
        student_classify: Callable[[Tensor], Tensor],
        teacher_classify: Callable[[Tensor], Tensor],
    ) -> Tensor:
        student = self._attention(student_classify, student_feature)
        teacher = self._attention(teacher_classify, teacher_feature.detach())
        return F.mse_loss(student, teacher.detach())

    def _attention(self, classify: Callable[[Tensor], Tensor], feature: Tensor) -> Tensor:
        """Class activation maps, (N, K, resolution**2)."""
        pooled = F.adaptive_avg_pool2d(feature, self.resolution)
        maps = class_activation_map(classify, pooled).flatten(2)
        return F.normalize(maps, dim=2) if self.normalize else maps
