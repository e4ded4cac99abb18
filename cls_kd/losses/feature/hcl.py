"""HCL: hierarchical context loss, ReviewKD's distance of feature maps alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cls_kd.functional import hierarchical_context_error, match_size
from cls_kd.losses.aligned_stages import AlignedStages


class HCLLoss(AlignedStages):
    r"""Regress the teacher's stages at several resolutions: hierarchical context loss.

    Paper: Chen et al. 2021, arXiv:2104.09044

    .. math:: L = \sum_j \frac{\sum_l 2^{-l}\, \mathrm{mean}\,(P_l(f^s_j) - P_l(f^t_j))^2}
                              {\sum_l 2^{-l}}

    summed over stages j. P_0 is the whole map, the next P_l average-pool it to 4, 2 and 1 positions
    a side, those of these that are smaller than the map. `ReviewKDLoss` has it after its fusions.

    Ours: where the widths of student and teacher differ, a 1x1 convolution and batch normalization
    take the student's maps to the teacher's; the larger of two maps is average-pooled to the
    smaller. ReviewKD's fusions make both agree.

    [0] P. Chen, S. Liu, H. Zhao, J. Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021,
        arXiv:2104.09044.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/ReviewKD.py: values and gradients
        agree. No difference.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.
    """

    def compare(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        pairs = zip(student, teacher, strict=True)
        return torch.stack([hierarchical_context_error(*match_size(*maps)) for maps in pairs]).sum()
