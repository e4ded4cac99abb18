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


def check_same_grid(owner: object, student: Shape, teacher: Shape) -> None:
    """Refuse tokens (L, D) of two networks whose patches are not the same."""
    sides = check_grid(owner, "student", student), check_grid(owner, "teacher", teacher)
    if sides[0] != sides[1]:
        raise UserError(
            f"{type(owner).__name__} compares patch by patch: the student has a grid of "
            f"{sides[0]}x{sides[0]} and the teacher of {sides[1]}x{sides[1]}. Give both the same "
            "patch size."
        )
