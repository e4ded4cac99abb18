"""RRD: relational representation distillation."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_cross_entropy
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import FrozenUnitEmbedding, UnitEmbedding
from cls_kd.modules.queues import EmbeddingQueue
from cls_kd.signals.shapes import SignalShapes


class RRDLoss(DistillLoss):
    r"""Match each sample's similarities to a queue of the teacher's earlier embeddings.

    Paper: Giakoumoglou and Stathaki 2024, arXiv:2407.12073

    .. math:: L = - \frac1N \sum_n \sum_k
              \mathrm{softmax}(Q t_n / \tau_t)_k \log \mathrm{softmax}(Q s_n / \tau_s)_k

    with s and t linear embeddings of unit length and Q the queue of the teacher's last embeddings,
    into which those of the batch are written beforehand. The student's embedding is learned; the
    teacher's is a random projection that stays as it is, and a buffer here: in [1] it is a
    parameter that never gets a gradient.

    [0] N. Giakoumoglou, T. Stathaki, "Relational Representation Distillation", 2024,
        arXiv:2407.12073.
    [1] giakoumoglou/distillers@a2ee80b:cifar/distillers/RRD.py, the form with a queue. Differences:
        the queue starts from rows of unit length ([1] normalizes its columns), the last batch may
        be shorter, and the queue is the same on all ranks. The form with a memory bank applies
        softmax to what is already one, and is not here.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        dim: Length of the embeddings. Default: CIFAR-100.
        size: Length of the queue. Default: CIFAR-100.
        student_temperature: tau_s. Default: CIFAR-100.
        teacher_temperature: tau_t. Default: CIFAR-100.
    """

    search_space = search_over(
        student_temperature=Range(0.02, 0.5, log=True),
        teacher_temperature=Range(0.005, 0.2, log=True),
    )

    def __init__(
        self,
        *,
        dim: int = 128,
        size: int = 16384,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.02,
    ) -> None:
        super().__init__()
        check_positive(self, dim=dim, size=size)
        check_positive(
            self, student_temperature=student_temperature, teacher_temperature=teacher_temperature
        )
        self.dim = dim
        self.size = size
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.student_embed: UnitEmbedding | None = None
        self.teacher_embed: FrozenUnitEmbedding | None = None
        self.queue: EmbeddingQueue | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.student_embed = UnitEmbedding(shapes.tensor("student_embedding")[0], self.dim)
        self.teacher_embed = FrozenUnitEmbedding(shapes.tensor("teacher_embedding")[0], self.dim)
        self.queue = EmbeddingQueue(self.size, self.dim)

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        queue: EmbeddingQueue = built(self.queue, self)
        student = built(self.student_embed, self)(student_embedding)
        teacher = built(self.teacher_embed, self)(teacher_embedding.detach())
        if self.training:
            queue.push(teacher)
        keys = queue.rows.t()
        return softened_cross_entropy(
            student @ keys / self.student_temperature, teacher @ keys / self.teacher_temperature
        )
