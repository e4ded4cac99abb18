"""UNIC on patches: maps of several teachers, standardized, each by its own head."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional.maps import interpolate_map
from cls_kd.losses.several_teachers.unic import UNICLoss
from cls_kd.losses.tokens import check_aspect
from cls_kd.signals.shapes import SignalShapes


class UNICPatchLoss(UNICLoss):
    r"""Regress the patch tokens of several teachers, dropping those that are easy.

    Paper: Sariyildiz et al. 2024, arXiv:2408.05088

    .. math:: \ell_{pn} = \mathrm{mean}_q \; d(h_p(\tilde f^s_{nq}), \hat f^p_{nq})

    over the positions q of the teacher's grid, to which the student's map is interpolated; all else
    as in `UNICLoss`.

    [0] M. B. Sariyildiz, P. Weinzaepfel, T. Lucas, D. Larlus, Y. Kalantidis, "UNIC: Universal
        Classification Models via Multi-teacher Distillation", ECCV 2024, arXiv:2408.05088.
    [1] naver/unic@698a382:modeling/losses.py, read and not run. The differences of `UNICLoss`.

    Shapes:
        student_feature: (N, C, h, w).
        all_teacher_features: tuple of (N, C, h, w), C, h and w may differ, h / w may not.

    Args:
        distance: See `UNICLoss`.
        head: See `UNICLoss`.
        standardization: See `UNICLoss`.
        dropping: See `UNICLoss`.
        steps: See `UNICLoss`.
    """

    student = "student_feature"
    teachers = "all_teacher_features"

    def build(self, shapes: SignalShapes) -> None:
        for teacher in shapes.tensors(self.teachers):
            check_aspect(self, shapes.tensor(self.student), teacher)
        super().build(shapes)

    def forward(  # type: ignore[override]
        self, student_feature: Tensor, all_teacher_features: tuple[Tensor, ...]
    ) -> dict[str, Tensor]:
        grids = [teacher.shape[-2:] for teacher in all_teacher_features]
        students = [_cells(interpolate_map(student_feature, grid)) for grid in grids]
        return self.compare(students, tuple(_cells(teacher) for teacher in all_teacher_features))


def _cells(feature: Tensor) -> Tensor:
    return feature.flatten(2).transpose(1, 2)
