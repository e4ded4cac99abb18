"""Rules for the image classifiers of Hugging Face's transformers: tokens and stages."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import DeiTForImageClassificationWithTeacher, PreTrainedModel

from cls_kd.signals.tap import Tap, Taps
from cls_kd.signals.tap_groups import isotropic_taps
from cls_kd.signals.taps import embedding_tap, network_taps

_CLASS_TOKENS = ("cls_token", "distillation_token", "register_tokens")


@network_taps.register
def _(network: PreTrainedModel) -> Taps:
    taps = embedding_tap(network)
    lists = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and name.startswith(network.base_model_prefix)
    ]
    for name, modules in lists:
        places = tuple(Tap(f"{name}.{index}") for index in range(len(modules)))
        if name.endswith("encoder.stages"):
            return {"stages": places, **taps}
        if name.endswith((".layer", ".layers")) and _is_plain(network, modules):
            return {**_tokens(network, places), **taps}
    return taps


@network_taps.register
def _(network: DeiTForImageClassificationWithTeacher) -> Taps:
    # Two classifiers, on two tokens, whose logits are averaged: neither input is the embedding.
    taps = network_taps.dispatch(PreTrainedModel)(network)
    return {name: tap for name, tap in taps.items() if name != "embedding"}


def _is_plain(network: Any, modules: nn.ModuleList) -> bool:
    """Test for the blocks of a vision transformer without a hierarchy of widths."""
    config = network.config
    layers = getattr(config, "num_hidden_layers", None)
    return layers == len(modules) and not hasattr(config, "depths")


def _tokens(network: Any, blocks: tuple[Tap, ...]) -> Taps:
    body = network.base_model_prefix
    norms = [name for name in ("layernorm", "norm") if hasattr(network.base_model, name)]
    normed = Tap(f"{body}.{norms[0]}") if norms else blocks[-1]
    return isotropic_taps(blocks, normed, _class_tokens(network.base_model))


def _class_tokens(body: nn.Module) -> int:
    """Count the tokens before the patches: class, distillation and register tokens."""
    tokens = [
        parameter.shape[1]
        for name, parameter in body.named_parameters()
        if name.rpartition(".")[2] in _CLASS_TOKENS
    ]
    return sum(tokens)
