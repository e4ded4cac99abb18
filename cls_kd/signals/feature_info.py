"""Taps of networks that declare their features as timm's do (``feature_info``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals.tap import Tap, Taps
from cls_kd.signals.tap_groups import distillation_token_taps, isotropic_taps


def timm_taps(network: Any) -> Taps:
    """Taps from ``feature_info``, by which timm's networks declare their stages.

    Entries of stride 2 (a stem, or a first stage) are left out, so that the stages of timm's
    networks line up with those of mmpretrain's: strides 4, 8, 16, 32.
    """
    taps = _classifier_taps(network)
    info = [entry for entry in network.feature_info if entry["reduction"] > 2]
    stages = tuple(Tap(entry["module"]) for entry in info)
    modules = [name for name, _ in network.named_modules()]
    if any(tap.module not in modules for tap in stages):
        return taps  # modules that timm itself only knows after rebuilding the network
    if _is_isotropic(network):
        normed = Tap("norm") if "norm" in modules else stages[-1]
        return {**isotropic_taps(stages, normed, _class_tokens(network)), **taps}
    if _is_channels_last(network):
        taps["stages"] = tuple(replace(tap, first_patch=0) for tap in stages)
        taps["feature"] = Tap("norm" if "norm" in modules else stages[-1].module, first_patch=0)
        return taps
    taps["stages"] = stages
    heads = [name for name in modules if name.endswith(("global_pool", "pre_logits"))]
    taps["feature"] = Tap(heads[0], "input") if heads else stages[-1]
    return taps


def timm_classify(network: Any) -> Callable[[Tensor], Tensor]:
    """Pooling and classifier of a network of timm's, on a map (N, C, h, w).

    Raises:
        UserError: It classifies a class token, which is no part of the map.
    """
    if _is_isotropic(network) and _class_tokens(network):
        raise UserError(
            f"{type(network).__name__} classifies its class token: it cannot classify a feature "
            "map on its own."
        )
    if _is_isotropic(network):
        return lambda feature: network.forward_head(feature.flatten(2).transpose(1, 2))
    if _is_channels_last(network):
        return lambda feature: network.forward_head(feature.permute(0, 2, 3, 1))
    return network.forward_head


def timm_classifier(network: Any) -> str | None:
    """Path of the linear classifier; None where it is something else."""
    classifier = network.get_classifier()
    names = [name for name, module in network.named_modules() if module is classifier]
    return names[0] if names and isinstance(classifier, nn.Linear) else None


def is_timm(network: nn.Module) -> bool:
    """True if a network declares its features and its classifier as timm's networks do."""
    return hasattr(network, "feature_info") and hasattr(network, "get_classifier")


def _classifier_taps(network: Any) -> Taps:
    """The embedding; of a network with a distillation token the logits of both tokens as well."""
    if isinstance(getattr(network, "head_dist", None), nn.Linear):
        return distillation_token_taps("head", "head_dist")
    if getattr(network, "num_classes", None) == 0:
        return {"embedding": Tap("")}
    path = timm_classifier(network)
    return {} if path is None else {"embedding": Tap(path, "input")}


def _is_isotropic(network: Any) -> bool:
    """Test for a network whose blocks all see the same tokens."""
    stem = getattr(network, "stem", None)
    return hasattr(network, "blocks") and (
        hasattr(network, "patch_embed")
        or hasattr(network, "embeds")
        or hasattr(stem, "num_patches")
    )


def _is_channels_last(network: Any) -> bool:
    return getattr(network, "output_fmt", "NCHW") == "NHWC"


def _class_tokens(network: Any) -> int:
    return int(getattr(network, "num_prefix_tokens", 0))
