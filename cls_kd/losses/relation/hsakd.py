"""HSAKD: hierarchical self-supervision augmented knowledge distillation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import peer_kl, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import TEMPERATURE, search_over
from cls_kd.losses.stages import pair_stages
from cls_kd.modules.exits import StageClassifiers
from cls_kd.signals.shapes import SignalShapes


class HSAKDLoss(DistillLoss):
    r"""Match joint predictions of class and rotation after every stage, and those of the classes.

    Paper: Yang et al. 2021, arXiv:2107.13715

    .. math:: L = T^2 \, \mathrm{KL}(p^t \,\|\, p^s) + T^2 \sum_j \mathrm{KL}(q^t_j \,\|\, q^s_j)

    means over all views of all images, with p the softmax at temperature T of the network's logits
    and q that of an auxiliary classifier on stage j, over all pairs of a class and a view (class c
    in view v is c V + v). The auxiliary classifiers of both networks are parts of the loss. The
    student's trains the student's stages; the teacher's learns the joint labels by cross-entropy on
    the teacher's maps, which are constants.

    [0] C. Yang, Z. An, L. Cai, Y. Xu, "Hierarchical Self-supervised Augmented Knowledge
        Distillation", IJCAI 2021, arXiv:2107.13715.
    [1] winycg/HSAKD@28c8dc2:train_student_cifar.py. Differences, ours: there the teacher's
        auxiliary classifiers are trained for 100 epochs beforehand, here along with the student;
        theirs repeat the network's blocks, these are one 3x3 convolution with batch normalization
        and ReLU for each stage that follows, and one after the last.

    Shapes:
        view_logits, teacher_view_logits: (V, N, K).
        view_stages, teacher_view_stages: tuples of (V, N, C, h, w), as many of both.
        labels: (N,).

    Args:
        temperature: T. Default: CIFAR-100.
        views: V. Default: an image and its three rotations.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0, views: int = 4) -> None:
        super().__init__()
        check_positive(self, temperature=temperature, views=views)
        self.temperature = temperature
        self.views = views
        self.student_classifiers: StageClassifiers | None = None
        self.teacher_classifiers: StageClassifiers | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensors("student_stages"), shapes.tensors("teacher_stages")
        pair_stages(self, None, len(student), len(teacher))
        joint = self.views * shapes.num_classes
        self.student_classifiers = StageClassifiers(student, joint)
        self.teacher_classifiers = StageClassifiers(teacher, joint)

    def forward(
        self,
        view_logits: Tensor,
        teacher_view_logits: Tensor,
        view_stages: tuple[Tensor, ...],
        teacher_view_stages: tuple[Tensor, ...],
        labels: Tensor,
    ) -> dict[str, Tensor]:
        if len(view_logits) != self.views:
            raise UserError(
                f"HSAKDLoss was built for views={self.views}, and the data give "
                f"{len(view_logits)} views of each image."
            )
        student = built(self.student_classifiers, self)(_rows(view_stages))
        teacher = built(self.teacher_classifiers, self)(
            tuple(stage.detach() for stage in _rows(teacher_view_stages))
        )
        classes, targets = view_logits.flatten(0, 1), teacher_view_logits.detach().flatten(0, 1)
        joint = torch.arange(self.views, device=labels.device).unsqueeze(1) + self.views * labels
        joint = joint.flatten().expand(len(teacher), -1)
        return dict(
            loss_classes=softened_kl(classes, targets, self.temperature),
            loss_joint=peer_kl(student, teacher.detach(), self.temperature),
            loss_teacher_classifiers=len(teacher)
            * F.cross_entropy(teacher.flatten(0, 1), joint.flatten()),
        )


def _rows(stages: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(stage.flatten(0, 1) for stage in stages)
