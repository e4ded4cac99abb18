"""UNIC: embeddings of several teachers, standardized, each by its own head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional.dropping import kept_teachers
from cls_kd.functional.regression import DISTANCES
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_choice, check_fraction, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.projections import HEADS
from cls_kd.modules.standardization import STANDARDIZATIONS, TargetStandardization
from cls_kd.signals.shapes import SignalShapes


class UNICLoss(DistillLoss):
    r"""Regress the embeddings of several teachers, dropping those that are easy.

    Paper: Sariyildiz et al. 2024, arXiv:2408.05088

    .. math:: L = \frac{\sum_{p,n} k_{pn} \, \ell_{pn}}{\sum_{p,n} k_{pn}}, \quad
              \ell_{pn} = d(h_p(e^s_n), \hat e^p_n)

    with h_p a head for each teacher, a hat its standardized embedding, and k_pn 1 for the teacher
    of the sample's largest loss and, for each other one, 1 with probability 1 - ``dropping``,
    else 0. It takes part when the statistics of the targets are known, from step ``steps`` on;
    until then it is 0, and each step waits for the device. It needs neither labels nor classes.

    [0] M. B. Sariyildiz, P. Weinzaepfel, T. Lucas, D. Larlus, Y. Kalantidis, "UNIC: Universal
        Classification Models via Multi-teacher Distillation", ECCV 2024, arXiv:2408.05088.
    [1] naver/unic@698a382:modeling/losses.py and modeling/teacher_dropping.py, read and not run.
        Differences: a linear or a small head, where [1] has a ladder of projectors over blocks;
        class token and patches are two losses (`UNICPatchLoss`) that drop independently; draws are
        made for the batch at once. The standardization by a rotation is of M. Ranzinger, J.
        Barker, G. Heinrich, P. Molchanov, B. Catanzaro, A. Tao, "PHI-S: Distribution Balancing for
        Label-Free Multi-Teacher Distillation", ICLR 2025, arXiv:2410.01680; ``'variance'`` is that
        of [0].

    Shapes:
        student_embedding: (N, D).
        all_teacher_embeddings: tuple of (N, D), widths may differ.

    Args:
        distance: As in `EmbeddingRegressionLoss`. Default: that of [1].
        head: ``'linear'`` or ``'mlp'`` (default; ours).
        standardization: ``'phi_s'`` (default) or ``'variance'``.
        dropping: Probability of leaving a teacher out. Default: that of [1].
        steps: Batches whose targets the statistics are taken from. Default: 50 (ours).
    """

    host_bound = "its first steps decompose a matrix, which waits for the device"
    search_space = search_over(dropping=Range(0.0, 0.9))
    student = "student_embedding"
    teachers = "all_teacher_embeddings"

    def __init__(
        self,
        *,
        distance: str = "cosine_smooth_l1",
        head: str = "mlp",
        standardization: str = "phi_s",
        dropping: float = 0.5,
        steps: int = 50,
    ) -> None:
        super().__init__()
        check_choice(self, "distance", distance, DISTANCES)
        check_choice(self, "head", head, HEADS)
        check_choice(self, "standardization", standardization, STANDARDIZATIONS)
        check_fraction(self, dropping=dropping)
        check_positive(self, steps=steps)
        self.distance = distance
        self.head = head
        self.standardization = standardization
        self.dropping = dropping
        self.steps = steps
        self.projections: nn.ModuleList | None = None
        self.targets: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        student = shapes.tensor(self.student)[0]
        widths = [shape[0] for shape in shapes.tensors(self.teachers)]
        self.projections = nn.ModuleList(HEADS[self.head](student, width) for width in widths)
        self.targets = nn.ModuleList(
            TargetStandardization(width, self.standardization, self.steps) for width in widths
        )

    def forward(
        self, student_embedding: Tensor, all_teacher_embeddings: tuple[Tensor, ...]
    ) -> dict[str, Tensor]:
        students = [student_embedding] * len(all_teacher_embeddings)
        return self.compare(students, all_teacher_embeddings)

    def compare(self, students: list[Tensor], teachers: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The loss of vectors (N, ..., D) of the student and of each teacher."""
        heads, targets = built(self.projections, self), built(self.targets, self)
        distance = DISTANCES[self.distance]
        losses = [
            distance(head(student), target(teacher.detach()))
            for head, target, student, teacher in zip(
                heads, targets, students, teachers, strict=True
            )
        ]
        # One value a sample: of patches their mean.
        of_samples = torch.stack([loss.reshape(len(loss), -1).mean(1) for loss in losses])
        kept = kept_teachers(of_samples, self.dropping) * targets[0].ready
        of_each = {f"kept_{index}": weights.sum() for index, weights in enumerate(kept)}
        return {"loss": (kept * of_samples).sum(), **of_each}
