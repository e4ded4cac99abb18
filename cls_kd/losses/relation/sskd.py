"""SSKD: knowledge distillation meets self-supervision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import right_rows, softened_kl, softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.modules.connectors import ProjectionHead
from cls_kd.signals.shapes import SignalShapes


class SSKDLoss(DistillLoss):
    r"""Match predictions on transformed images, and their similarities to the images themselves.

    Paper: Xu et al. 2020, arXiv:2006.07114

    .. math:: L = \lambda_1 \, \mathrm{KL}_T(p^t \,\|\, p^s)
              + \lambda_2 \, \mathrm{KL}_{T_2}(\tilde p^t \,\|\, \tilde p^s)
              + \lambda_3 \, \mathrm{KL}_{T_3}(a^t \,\|\, a^s)

    with the squared temperature as a factor in each. p are the predictions of the first view of
    each image, the others with a tilde; a are the softmaxes, over the images of the batch, of the
    cosines between a transformed view's projection and those of all first views. Of the last two
    terms only those rows count that the teacher ranks right, and a fraction of the others: those
    with the best rank of the label, or of the view's own image, in order of their place among equal
    ranks (ours).

    The projections, two linear layers with a ReLU, are parts of the loss. The teacher's is trained
    by cross-entropy of its cosines with the view's own image; the teacher itself is not.

    [0] G. Xu, Z. Liu, X. Li, C. C. Loy, "Knowledge Distillation Meets Self-Supervision", ECCV 2020,
        arXiv:2006.07114.
    [1] xuguodong03/SSKD@661b972:student.py. Differences, ours: there the teacher's projection is
        trained for 60 epochs beforehand, here along with the student; the selection is stable,
        where rows of equal rank are not defined there.

    Shapes:
        view_logits, teacher_view_logits: (V, N, K).
        view_embeddings, teacher_view_embeddings: (V, N, D), D may differ.
        labels: (N,).

    Args:
        temperature: T. Default: CIFAR-100, as all that follow.
        transformed_temperature: T_2.
        similarity_temperature: T_3.
        keep_wrong_transformed: Fraction of wrong rows that the second term keeps.
        keep_wrong_similarity: Fraction of wrong rows that the third term keeps.
        kd_weight: lambda_1.
        transformed_weight: lambda_2.
        similarity_weight: lambda_3.

    Weight:
        1 on CIFAR-100, beside cross-entropy of weight 0.1.
    """

    search_space = search_over(
        temperature=TEMPERATURE,
        similarity_temperature=Range(0.05, 2.0, log=True),
        transformed_weight=Range(0.2, 20.0, log=True),
        similarity_weight=Range(1.0, 100.0, log=True),
    )

    def __init__(
        self,
        *,
        temperature: float = 4.0,
        transformed_temperature: float = 4.0,
        similarity_temperature: float = 0.5,
        keep_wrong_transformed: float = 1.0,
        keep_wrong_similarity: float = 0.75,
        kd_weight: float = 0.9,
        transformed_weight: float = 2.7,
        similarity_weight: float = 10.0,
    ) -> None:
        super().__init__()
        temperatures = dict(
            temperature=temperature,
            transformed_temperature=transformed_temperature,
            similarity_temperature=similarity_temperature,
        )
        weights = dict(
            kd_weight=kd_weight,
            transformed_weight=transformed_weight,
            similarity_weight=similarity_weight,
        )
        check_positive(self, **temperatures)
        check_not_negative(self, **weights)
        self.keep_wrong = keep_wrong_transformed, keep_wrong_similarity
        check_fraction(self, keep_wrong_transformed=keep_wrong_transformed)
        check_fraction(self, keep_wrong_similarity=keep_wrong_similarity)
        self.temperatures = tuple(temperatures.values())
        self.weights = tuple(weights.values())
        self.student_head: ProjectionHead | None = None
        self.teacher_head: ProjectionHead | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.student_head = ProjectionHead(shapes.tensor("student_embedding")[0])
        self.teacher_head = ProjectionHead(shapes.tensor("teacher_embedding")[0])

    def forward(
        self,
        view_logits: Tensor,
        teacher_view_logits: Tensor,
        view_embeddings: Tensor,
        teacher_view_embeddings: Tensor,
        labels: Tensor,
    ) -> dict[str, Tensor]:
        teachers = teacher_view_logits.detach()
        student = _cosines(view_embeddings, built(self.student_head, self))
        teacher = _cosines(teacher_view_embeddings.detach(), built(self.teacher_head, self))
        turns = len(view_logits) - 1
        images = torch.arange(len(labels), device=labels.device).repeat(turns)
        kd = softened_kl(view_logits[0], teachers[0], self.temperatures[0])
        transformed = _mean_of_kept(
            view_logits[1:].flatten(0, 1),
            teachers[1:].flatten(0, 1),
            labels.repeat(turns),
            self.temperatures[1],
            self.keep_wrong[0],
        )
        similarity = _mean_of_kept(
            student, teacher.detach(), images, self.temperatures[2], self.keep_wrong[1]
        )
        return dict(
            loss_kd=self.weights[0] * kd,
            loss_transformed=self.weights[1] * transformed,
            loss_similarity=self.weights[2] * similarity,
            loss_teacher_head=F.cross_entropy(teacher, images),
        )


def _cosines(embeddings: Tensor, head: nn.Module) -> Tensor:
    """Of the transformed views with the first ones: (V, N, D) -> ((V - 1) N, N)."""
    unit = F.normalize(head(embeddings), dim=2)
    return unit[1:].flatten(0, 1) @ unit[0].t()


def _mean_of_kept(
    student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, fraction: float
) -> Tensor:
    """Mean divergence over the rows where the teacher is right, and a fraction of the others."""
    kept = right_rows(teacher, targets, fraction)
    each = softened_kl_each(student, teacher, temperature)
    return (each * kept).sum() / kept.sum().clamp_min(1)
