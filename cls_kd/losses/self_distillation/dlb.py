"""DLB: self-distillation from the previous mini-batch."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.functional import softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class DLBLoss(DistillLoss):
    r"""Match the network's predictions for the same images in the previous mini-batch.

    Paper: Shen et al. 2022, arXiv:2203.16172

    .. math:: L = T^2 \, \mathrm{KL}(\mathrm{softmax}(\bar z^{b-1} / T) \,\|\,
              \mathrm{softmax}(z^b / T))

    over the samples that batch b shares with batch b-1, a constant; summed over classes, mean over
    these samples, 0 where there are none. ``LastBatchSampler`` makes half of each batch the
    last half of the one before; configs/methods/dlb.py brings it along.

    Samples are matched by their index. The logits of the last batch are no part of a checkpoint and
    are forgotten when an epoch ends, so a run that is resumed at an epoch goes on exactly. The log
    shows ``shared``, the fraction of samples that the batch before had too; 0 says that the data
    come in another order than this loss needs.

    [0] Y. Shen, L. Xu, Y. Yang, Y. Li, Y. Guo, "Self-Distillation from the Last Mini-Batch for
        Consistency Regularization", CVPR 2022, arXiv:2203.16172.
    [1] Not checked against the authors' code; defaults and the factor T^2 included. Ours: in the
        second batch the image goes through its augmentation again (``RandomCropFlip`` gives it the
        same crop all epoch, others a new one), and an epoch's first batch has no such term.

    Shapes:
        student_logits: (N, K).
        index: (N,).

    Args:
        temperature: T. Default: CIFAR-100.

    Weight:
        alpha; 1 on CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    stateless = False

    def __init__(self, *, temperature: float = 3.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature
        # No buffers: their shape changes, which averages of the model could not follow.
        self.last: tuple[int, Tensor, Tensor] | None = None

    def forward(self, student_logits: Tensor, index: Tensor, epoch: int) -> dict[str, Tensor]:
        last = self.last
        if self.training:
            self.last = (epoch, index, student_logits.detach())
        # In evaluation no batch follows another.
        if last is None or last[0] != epoch or not self.training:
            nothing = 0 * student_logits.sum()
            return dict(loss=nothing, shared=nothing.detach())
        last_index, last_logits = (tensor.to(index.device) for tensor in last[1:])
        same = index.unsqueeze(1) == last_index  # (N, M)
        position = (same * torch.arange(len(last_index), device=index.device)).amax(1)
        each = softened_kl_each(student_logits, last_logits[position], self.temperature)
        shared = same.any(1)
        loss = torch.where(shared, each, 0.0).sum() / shared.sum().clamp_min(1)
        return dict(loss=loss, shared=shared.to(loss.dtype).mean())
