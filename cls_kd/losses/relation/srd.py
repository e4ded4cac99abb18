"""SRD: a simple recipe for distillation, by the role of the projector."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.errors import UserError, did_you_mean
from cls_kd.functional import standardize_columns
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.signals.shapes import SignalShapes


def _difference(student: Tensor, teacher: Tensor, power: float) -> Tensor:
    return (student - teacher).abs().pow(power).sum().clamp_min(1e-12).log()


def _correlation(student: Tensor, teacher: Tensor, power: float) -> Tensor:
    correlation = (student * teacher).mean(0)
    return (1e-5 + (correlation - 1).abs().pow(power).sum()).log()


FORMS = {"difference": _difference, "correlation": _correlation}


class SRDLoss(DistillLoss):
    r"""Match projected and batch-normalized embeddings, by the logarithm of a soft maximum.

    Paper: Miles and Mikolajczyk 2024, arXiv:2303.11098

    .. math:: L = \log \sum_{n,d} | \hat s_{nd} - \hat t_{nd} |^p \;\text{(difference)}, \quad
              L = \log \Big( 10^{-5} + \sum_d \Big| \frac1N \sum_n \hat s_{nd} \hat t_{nd} - 1
              \Big|^p \Big) \;\text{(correlation)}

    with s a linear projection of the student's embedding to the teacher's width and a hat batch
    normalization without learned parts, by the statistics of each process's batch. The bias of the
    projection, which the normalization takes out again, is left out.

    [0] R. Miles, K. Mikolajczyk, "Understanding the Role of the Projector in Knowledge
        Distillation", AAAI 2024, arXiv:2303.11098.
    [1] roymiles/Simple-Recipe-Distillation@31e8477:imagenet/torchdistill/losses/single.py
        (difference) and deit/models.py (correlation, which cannot run as published: for the check
        its call of ``super()`` was mended, and its eps of 0, which PyTorch refuses, made tiny).
        Ours: an entry that is constant in the batch becomes 0, also where eps is 0. In [1] the
        projection is outside of DDP and differs between processes.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        form: ``'difference'``, which [1] uses on ImageNet with convolutional networks, or
            ``'correlation'``, with DeiT.
        power: p. Default: both forms.
        eps: Added to the variance. Default: the first form; 0 in the second.

    Weight:
        2 on ImageNet, beside KD of weight 1 at temperature 1.
    """

    search_space = search_over(power=Range(1.0, 8.0, log=True))

    def __init__(self, *, form: str = "difference", power: float = 4.0, eps: float = 1e-4) -> None:
        super().__init__()
        check_positive(self, power=power)
        check_not_negative(self, eps=eps)
        if form not in FORMS:
            raise UserError(f"SRDLoss has no form {form!r}.{did_you_mean(str(form), FORMS)}")
        self.form = form
        self.power = power
        self.eps = eps
        self.projector: nn.Linear | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_embedding"), shapes.tensor("teacher_embedding")
        self.projector = nn.Linear(student[0], teacher[0], bias=False)

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        projected = built(self.projector, self)(student_embedding)
        student, teacher = (
            standardize_columns(values, self.eps, correction=0)
            for values in (projected, teacher_embedding.detach())
        )
        return FORMS[self.form](student, teacher, self.power)
