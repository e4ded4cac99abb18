"""Taps of networks that declare their features as timm's do (``feature_info``)."""

from __future__ import annotations

from typing import Any

from torch import nn

from cls_kd.signals.tap import Tap, Taps


def timm_taps(network: Any) -> Taps:
    """Taps from ``feature_info``, by which timm's networks declare their stages.

    Entries of stride 2 (a stem, or a first stage) are left out, so that the stages of timm's
    networks line up with those of mmpretrain's: strides 4, 8, 16, 32.
    """
    path = timm_classifier(network)
    taps: Taps = {} if path is None else {"embedding": Tap(path, "input")}
    info = [entry for entry in network.feature_info if entry["reduction"] > 2]
    stages = tuple(Tap(entry["module"]) for entry in info)
    modules = [name for name, _ in network.named_modules()]
    if getattr(network, "output_fmt", "NCHW") != "NCHW":
        return taps  # Swin and others keep maps as (N, h, w, C)
    if any(tap.module not in modules for tap in stages):
        return taps  # modules that timm itself only knows after rebuilding the network
    if hasattr(network, "patch_embed") and hasattr(network, "blocks"):
        taps["blocks"], taps["tokens"] = stages, stages[-1]
        taps["normed_tokens"] = Tap("norm") if "norm" in modules else stages[-1]
        return taps
    taps["stages"] = stages
    heads = [name for name in modules if name.endswith(("global_pool", "pre_logits"))]
    taps["feature"] = Tap(heads[0], "input") if heads else stages[-1]
    return taps


def timm_classifier(network: Any) -> str | None:
    """Path of the linear classifier; None where it is something else."""
    classifier = network.get_classifier()
    names = [name for name, module in network.named_modules() if module is classifier]
    return names[0] if names and isinstance(classifier, nn.Linear) else None


def is_timm(network: nn.Module) -> bool:
    """True if a network declares its features and its classifier as timm's networks do."""
    return hasattr(network, "feature_info") and hasattr(network, "get_classifier")
