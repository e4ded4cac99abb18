"""QueueSimilarity: similarities to a queue of the teacher's embeddings."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import softened_cross_entropy
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import UnitEmbedding
from cls_kd.modules.queues import EmbeddingQueue
from cls_kd.signals.shapes import SignalShapes


class QueueSimilarityLoss(DistillLoss):
    r"""Match the similarities of an image to a queue of images that the teacher has embedded.

    Paper: Fang et al. 2021, arXiv:2101.04731

    .. math:: L = -\mathrm{mean}_n \sum_{q} p^t_{nq} \log p^s_{nq}, \quad
              p^s_n = \mathrm{softmax}\Big( \frac{Q\, \hat h(e^s_n)}{\tau_s} \Big), \quad
              p^t_n = \mathrm{softmax}\Big( \frac{Q\, \hat e^t_n}{\tau_t} \Big)

    with Q a queue of the teacher's last embeddings, this batch's among them, h a linear layer to
    the teacher's width and a hat unit length. It needs neither labels nor classes.

    [0] Z. Fang, J. Wang, L. Wang, L. Zhang, Y. Yang, Z. Liu, "SEED: Self-supervised Distillation
        For Visual Representation", ICLR 2021, arXiv:2101.04731.
    [1] lightly-ai/lightly-train@004229f:src/lightly_train/_methods/distillation/distillation.py,
        whose first version of distillation it is, read and not run: one temperature of 0.07, the
        batch in the queue. Differences: [1] mixes the images and clips gradients, its queue begins
        with zeros and each process has its own; here it begins with random directions and all
        processes have the same. In [0] an image meets the queue of earlier batches and its own
        embedding, and the temperatures are 0.2 and 0.01.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        size: Length of the queue; [1] takes 8192, and for less than 20,000 images a quarter to a
            half of their number. Default: 8192.
        student_temperature: tau_s. Default: that of [1].
        teacher_temperature: tau_t. Default: that of [1].
    """

    search_space = search_over(
        student_temperature=Range(0.02, 0.5, log=True),
        teacher_temperature=Range(0.005, 0.2, log=True),
    )

    def __init__(
        self,
        *,
        size: int = 8192,
        student_temperature: float = 0.07,
        teacher_temperature: float = 0.07,
    ) -> None:
        super().__init__()
        check_positive(
            self,
            size=size,
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
        )
        self.size = size
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.student_embed: UnitEmbedding | None = None
        self.queue: EmbeddingQueue | None = None

    def build(self, shapes: SignalShapes) -> None:
        width = shapes.tensor("teacher_embedding")[0]
        self.student_embed = UnitEmbedding(shapes.tensor("student_embedding")[0], width)
        self.queue = EmbeddingQueue(self.size, width)

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        queue: EmbeddingQueue = built(self.queue, self)
        student = built(self.student_embed, self)(student_embedding)
        teacher = F.normalize(teacher_embedding.detach(), dim=1)
        if self.training:
            queue.push(teacher)
        # A copy, for the queue moves on before backward needs it.
        keys = queue.rows.clone().t()
        cross_entropy = softened_cross_entropy(
            student @ keys / self.student_temperature, teacher @ keys / self.teacher_temperature
        )
        return cross_entropy
