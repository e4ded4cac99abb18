"""PCL: peer collaborative learning."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import mutual_kl, peer_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class PCLLoss(DistillLoss):
    r"""Match each branch to the ensemble and to the moving averages of the other branches.

    Paper: Wu and Gong 2021, arXiv:2006.04147

    .. math:: L = T^2 \sum_a \mathrm{KL}(p_e \,\|\, p_a)
              + \sum_a \frac{T^2}{P - 1} \sum_{b \ne a} \mathrm{KL}(\bar p_b \,\|\, p_a)

    mean over the batch, with p the softmax at temperature T of branch a, of the ensemble e, and,
    with a bar, of a branch whose weights are a moving average; targets are constants. The student
    is a ``AveragedMultiBranchClassifier``, whose averages are deployed: configs/methods/pcl.py.

    [0] G. Wu, S. Gong, "Peer Collaborative Learning for Online Knowledge Distillation", AAAI 2021,
        arXiv:2006.04147. There each branch sees an augmentation of its own; here all see the same
        images.
    [1] shaoeric/Peer-Collaborative-Learning-for-Online-Knowledge-Distillation@6afb473:src/losses,
        by a third party; none of the authors' is known. No difference in this loss. The ramp-up of
        its weight is 1 in the second epoch and nearly 0 up to epoch 80, by a slip; that of
        configs/methods/pcl.py is the paper's.

    Shapes:
        peer_logits, mean_peer_logits: (P, N, K), P at least 2.
        ensemble_logits: (N, K).

    Args:
        temperature: T. Default: CIFAR.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(
        self, peer_logits: Tensor, mean_peer_logits: Tensor, ensemble_logits: Tensor
    ) -> dict[str, Tensor]:
        target = ensemble_logits.detach().expand_as(peer_logits)
        return dict(
            loss_ensemble=peer_kl(peer_logits, target, self.temperature),
            loss_means=mutual_kl(peer_logits, mean_peer_logits.detach(), self.temperature),
        )
