"""DML: deep mutual learning."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import peer_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class DMLLoss(DistillLoss):
    r"""Match each network's predictions to those of every other network: mutual learning.

    Paper: Zhang et al. 2018, arXiv:1706.00384

    .. math:: L = \sum_a \frac{1}{P - 1} \sum_{b \ne a} T^2 \, \mathrm{KL}(p_b \,\|\, p_a)

    with p the softmax at temperature T, mean over the batch; the other network's p is a constant.

    [0] Y. Zhang, T. Xiang, T. M. Hospedales, H. Lu, "Deep Mutual Learning", CVPR 2018,
        arXiv:1706.00384. There the networks are updated one after the other; here in one step, as
        in the code of later papers.
    [1] DefangChen/OKDDip-AAAI2020, KL_Loss. Differs: it adds 1e-7 to every probability of the
        target, and lets gradients into it.

    Shapes:
        peer_logits: (P, N, K), P at least 2.

    Args:
        temperature: T. Default: the paper's.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, peer_logits: Tensor) -> Tensor:
        peers = len(peer_logits)
        shape = (peers, *peer_logits.shape)
        # All pairs; one of a peer with itself is 0, and has gradient 0.
        learners = peer_logits.unsqueeze(0).expand(shape).flatten(0, 1)
        targets = peer_logits.detach().unsqueeze(1).expand(shape).flatten(0, 1)
        return peer_kl(learners, targets, self.temperature) / max(peers - 1, 1)
