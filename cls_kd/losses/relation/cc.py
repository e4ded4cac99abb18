"""CC: correlation congruence."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.signals.shapes import SignalShapes


class CorrelationCongruenceLoss(DistillLoss):
    r"""Match the correlation between neighboring samples of the mini-batch, after embeddings.

    Paper: Peng et al. 2019, arXiv:1904.01802

    .. math:: L = \frac{1}{N - 1} \sum_{n=1}^{N-1} \langle \delta_n, \delta_{n+1} \rangle, \quad
              \delta_n = | r_s(e^s_n) - r_t(e^t_n) |

    with linear embeddings r_s and r_t, both learned; the absolute value is taken entry by entry.
    Both embeddings at zero are a minimum: the small weight keeps this harmless.

    [0] B. Peng, X. Jin, J. Liu, S. Zhou, Y. Wu, Y. Liu, D. Li, Z. Zhang, "Correlation Congruence
        for Knowledge Distillation", ICCV 2019, arXiv:1904.01802.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/CC.py, the form of most published results. No
        difference. The kernels of [0] (Gaussian, by its Taylor expansion) are neither there nor
        here.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        dim: Length of the learned embeddings. Default: CIFAR-100.

    Weight:
        0.02 on CIFAR-100.
    """

    def __init__(self, *, dim: int = 128) -> None:
        super().__init__()
        check_positive(self, dim=dim)
        self.dim = dim
        self.student_embed: nn.Linear | None = None
        self.teacher_embed: nn.Linear | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.student_embed = nn.Linear(shapes.tensor("student_embedding")[0], self.dim)
        self.teacher_embed = nn.Linear(shapes.tensor("teacher_embedding")[0], self.dim)

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        student = built(self.student_embed, self)(student_embedding)
        teacher = built(self.teacher_embed, self)(teacher_embedding.detach())
        difference = (student - teacher).abs()
        pairs = (difference[:-1] * difference[1:]).sum()
        return pairs / max(len(difference) - 1, 1)  # a batch of one has no pair
