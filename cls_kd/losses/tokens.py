"""Checks of the tokens that losses of vision transformers compare."""

from __future__ import annotations

from cls_kd.errors import UserError
from cls_kd.functional import grid_side
from cls_kd.signals.shapes import Shape

_MOST_CLASS_TOKENS = 8


def check_grid(owner: object, network: str, tokens: Shape) -> int:
    """The side of a square grid of patches, or an error where tokens (L, D) are none."""
    side = grid_side(tokens[0])
    if tokens[0] - side**2 > _MOST_CLASS_TOKENS:
        raise UserError(
            f"{type(owner).__name__} needs a square grid of patches; the {network} has "
            f"{tokens[0]} tokens."
        )
    return side


def check_aspect(owner: object, student: Shape, teacher: Shape) -> None:
    """Refuse maps (C, h, w) of which one cannot be interpolated to the grid of the other."""
    if student[1] * teacher[2] != student[2] * teacher[1]:
        raise UserError(
            f"{type(owner).__name__} compares position by position: the student's map is "
            f"{student[1]}x{student[2]} and the teacher's {teacher[1]}x{teacher[2]}, of another "
            "ratio of height and width. Give the teacher an input_size of the images' ratio."
        )
    if student[1:] == (1, 1) != teacher[1:]:
        raise UserError(
            f"{type(owner).__name__} compares position by position: the student's last map is a "
            f"single position, and the teacher's has {teacher[1]}x{teacher[2]}. Give larger "
            "images, or use EmbeddingRegressionLoss."
        )


def check_same_grid(owner: object, student: Shape, teacher: Shape) -> None:
    """Refuse tokens (L, D) of two networks whose patches are not the same."""
    sides = check_grid(owner, "student", student), check_grid(owner, "teacher", teacher)
    if sides[0] != sides[1]:
        raise UserError(
            f"{type(owner).__name__} compares patch by patch: the student has a grid of "
            f"{sides[0]}x{sides[0]} and the teacher of {sides[1]}x{sides[1]}. Give both the same "
            "patch size."
        )
