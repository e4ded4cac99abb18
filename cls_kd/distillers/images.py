"""How a teacher sees the student's images: its own normalisation, its own size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from cls_kd.errors import UserError, did_you_mean

INTERPOLATIONS = ("bicubic", "bilinear")


def own_normalisation(
    network: nn.Module, given: Mapping[str, Any] | None, *, published: bool
) -> dict[str, Any] | None:
    """The normalisation that a network was trained with; None where nobody knows it.

    Args:
        network: With its weights.
        given: ``dict(mean=..., std=..., to_rgb=...)``, which comes first.
        published: Whether the weights are those published under the network's name.

    Raises:
        UserError: ``given`` has other keys.
    """
    if given is not None:
        _check_keys(given)
        return {"to_rgb": False, **{key: given[key] for key in given if key != "type"}}
    own = getattr(network, "data_preprocessor", None)
    if getattr(own, "_enable_normalize", False):
        return read_normalisation(own)
    # What timm says of a network holds for the weights that timm publishes, and for no others.
    if published and isinstance(network, TimmClassifier):
        config = network.model.pretrained_cfg
        return {
            "mean": [255.0 * value for value in config["mean"]],
            "std": [255.0 * value for value in config["std"]],
            "to_rgb": True,
        }
    return None


def read_normalisation(preprocessor: Any) -> dict[str, Any]:
    """What a data preprocessor of mmpretrain's does to raw images."""
    to_rgb = bool(getattr(preprocessor, "to_rgb", False))
    if not getattr(preprocessor, "_enable_normalize", False):
        return {"mean": [0.0], "std": [1.0], "to_rgb": to_rgb}
    return {
        "mean": preprocessor.mean.flatten().tolist(),
        "std": preprocessor.std.flatten().tolist(),
        "to_rgb": to_rgb,
    }


def columns(normalisation: Mapping[str, Any], flip: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (C, 1, 1) each; ``flip``: channels in the other order."""
    mean, std = (
        torch.tensor(normalisation[key], dtype=torch.float32).view(-1, 1, 1)
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


def _check_keys(given: Mapping[str, Any]) -> None:
    if not {"mean", "std"} <= set(given) or set(given) - {"mean", "std", "to_rgb", "type"}:
        raise UserError(
            "The teacher's data_preprocessor takes mean, std and to_rgb; it got "
            f"{', '.join(given) or 'nothing'}."
        )
