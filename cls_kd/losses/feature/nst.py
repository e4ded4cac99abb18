"""NST: neuron selectivity transfer, maximum mean discrepancy of channels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.paired_stages import PairedStages


class NSTLoss(PairedStages):
    r"""Match the distribution of the channels' selectivity maps: maximum mean discrepancy.

    Paper: Huang and Wang 2017, arXiv:1707.01219

    .. math:: L = \sum_j \left( \mathrm{mean}\, k(u^t, u^t) + \mathrm{mean}\, k(u^s, u^s)
                - 2\, \mathrm{mean}\, k(u^s, u^t) \right), \quad
              k(u, v) = (u \cdot v)^2, \quad u = f_c / \| f_c \|_2

    summed over stages j; means over the batch and all pairs of channels c of a sample, with f_c the
    map of a channel as a vector. The larger of two maps is average-pooled to the smaller
    beforehand. k is the paper's polynomial kernel with d = 2, c = 0.

    [0] Z. Huang, N. Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer",
        2017, arXiv:1707.01219.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/NST.py: values, gradients and a
        training of 12 steps agree. Difference: stages as of `ATLoss`.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.

    Weight:
        50 on CIFAR-100.
    """

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        student, teacher = (F.normalize(maps.flatten(2), dim=2) for maps in (student, teacher))
        within = _mean_kernel(teacher, teacher) + _mean_kernel(student, student)
        return within - 2 * _mean_kernel(student, teacher)


def _mean_kernel(a: Tensor, b: Tensor) -> Tensor:
    """Of (N, C1, h * w) and (N, C2, h * w) the mean over samples and pairs of channels."""
    return (a @ b.transpose(1, 2)).square().mean()
