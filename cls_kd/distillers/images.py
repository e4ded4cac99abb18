"""Normalizations, as networks and mmpretrain's data preprocessors state them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmpretrain.models import TimmClassifier
from torch import nn

from cls_kd.adapters.internals import normalizes
from cls_kd.core.images import checked_normalization


def own_normalization(
    network: nn.Module, given: Mapping[str, Any] | None, *, published: bool
) -> dict[str, Any] | None:
    """The normalization that a network was trained with; None where it is unknown.

    Args:
        network: With its weights.
        given: ``dict(mean=..., std=..., to_rgb=...)``, which comes first.
        published: True if the weights are those published under the network's name.

    Raises:
        UserError: ``given`` has other keys.
    """
    if given is not None:
        return checked_normalization(given)
    preprocessor = getattr(network, "data_preprocessor", None)
    if normalizes(preprocessor):
        return read_normalization(preprocessor)
    # What timm says of a network holds for the weights that timm publishes, and for no others.
    if published and isinstance(network, TimmClassifier):
        config = network.model.pretrained_cfg
        return {
            "mean": [255.0 * value for value in config["mean"]],
            "std": [255.0 * value for value in config["std"]],
            "to_rgb": True,
        }
    return None


def read_normalization(preprocessor: Any) -> dict[str, Any]:
    """Normalization that a data preprocessor of mmpretrain applies to raw images."""
    to_rgb = bool(getattr(preprocessor, "to_rgb", False))
    if not normalizes(preprocessor):
        return {"mean": [0.0], "std": [1.0], "to_rgb": to_rgb}
    return {
        "mean": preprocessor.mean.flatten().tolist(),
        "std": preprocessor.std.flatten().tolist(),
        "to_rgb": to_rgb,
    }
