"""The images that a teacher sees: normalization and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cls_kd.errors import UserError, did_you_mean

INTERPOLATIONS = ("bicubic", "bilinear")


def columns(normalization: Mapping[str, Any], flip: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (C, 1, 1) each; ``flip``: channels in the other order."""
    mean, std = (
        torch.tensor(normalization[key], dtype=torch.float32).view(-1, 1, 1)
        for key in ("mean", "std")
    )
    return (mean.flip(0), std.flip(0)) if flip else (mean, std)


def checked_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Height and width.

    Raises:
        UserError: They are not whole numbers above 0.
    """
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise UserError(
            f"The teacher's input_size is a number of pixels or (height, width), not {size!r}."
        )
    return sides[0], sides[1]


def checked_interpolation(interpolation: str) -> str:
    """One of `INTERPOLATIONS`.

    Raises:
        UserError: It is another one.
    """
    if interpolation not in INTERPOLATIONS:
        raise UserError(
            f"The teacher's interpolation cannot be {interpolation!r}."
            f"{did_you_mean(str(interpolation), INTERPOLATIONS)}"
        )
    return interpolation


def checked_normalization(given: Mapping[str, Any]) -> dict[str, Any]:
    """``dict(mean=..., std=..., to_rgb=...)``, with ``to_rgb=False`` where it is not given.

    Raises:
        UserError: It has other keys.
    """
    if not {"mean", "std"} <= set(given) or set(given) - {"mean", "std", "to_rgb", "type"}:
        raise UserError(
            "The teacher's normalization takes mean, std and to_rgb; it got "
            f"{', '.join(given) or 'nothing'}."
        )
    return {"to_rgb": False, **{key: given[key] for key in given if key != "type"}}


def noise_like(image: Tensor, count: int = 4) -> Tensor:
    """Images of normal noise, always the same, of the size and type of one."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, *image.shape[1:], generator=generator)
    return noise.to(image)
