"""Taps: the module paths (hook points) of signals, by kind of network.

Resolution, first hit wins:

1. ``taps=`` of the distiller's config, for one network of one run;
2. a ``taps`` attribute that the backbone (or the whole network) declares about itself, paths
   relative to it: ``self.taps = dict(stages=('stage1', 'stage2'), preacts=('stage1.norm', ...))``;
3. the rules below, by the backbone's class, and timm's ``feature_info``.

A path is dotted; its end may say more: ``'layer1'`` is the module's output, ``'relu:input'`` its
input, ``'backbone[-1]'`` the last item of an output that is a tuple. Where a module runs several
times in one pass, the last run counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.feature_info import is_timm, timm_classifier, timm_taps
from cls_kd.signals.rules import NetworkRule
from cls_kd.signals.tap import Tap, Taps
from cls_kd.signals.tap_groups import block_maps


def find_taps(
    network: nn.Module, override: Mapping[str, str | tuple[str, ...]] | None = None
) -> Taps:
    """All taps of ``network``: declared, overridden, or known by its class.

    Raises:
        UserError: A declared or given path names no module of the network.
    """
    taps = network_taps(network)
    taps.update(declared_taps(network, ""))
    taps.update({name: _parse(path) for name, path in (override or {}).items()})
    if "stages" in taps:
        stages = _as_tuple(taps["stages"])
        taps.setdefault("feature", stages[-1])
        if "block_maps" not in taps and all(_has_path(network, stage) for stage in stages):
            taps["block_maps"] = block_maps(network, stages)
    for name, tap in taps.items():
        for item in _as_tuple(tap):
            _check_path(network, name, item)
    return taps


@NetworkRule
def classifier_path(network: nn.Module) -> str | None:
    """Path of the last linear layer, whose input is the embedding; None where there is none."""
    if is_timm(network):
        return timm_classifier(network)
    root = "head" if isinstance(getattr(network, "head", None), nn.Module) else ""
    linear = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(root)
    ]
    return linear[-1] if linear else None


@NetworkRule
def network_taps(network: nn.Module) -> Taps:
    """Taps of a network by its class. Add a kind of network with ``@network_taps.register``."""
    return timm_taps(network) if is_timm(network) else embedding_tap(network)


@NetworkRule
def backbone_taps(backbone: nn.Module) -> Taps:
    """Taps relative to a backbone. Add a kind of backbone with ``@backbone_taps.register``."""
    return {}


def embedding_tap(network: nn.Module) -> Taps:
    """The input of the classifier, where the network has one."""
    path = classifier_path(network)
    return {} if path is None else {"embedding": Tap(path, "input")}


def declared_taps(module: nn.Module, prefix: str) -> Taps:
    """Taps that a module declares in its attribute ``taps``, with paths from the network."""
    declared = getattr(module, "taps", None)
    if not isinstance(declared, Mapping):
        return {}
    return prefixed({name: _parse(path) for name, path in declared.items()}, prefix)


def prefixed(taps: Taps, prefix: str) -> Taps:
    """Taps of a part of a network, as taps of the network."""

    def moved(tap: Tap) -> Tap:
        return replace(tap, module=".".join(part for part in (prefix, tap.module) if part))

    return {
        name: moved(tap) if isinstance(tap, Tap) else tuple(moved(item) for item in tap)
        for name, tap in taps.items()
    }


def _parse(path: str | tuple[str, ...] | list[str]) -> Tap | tuple[Tap, ...]:
    return Tap.parse(path) if isinstance(path, str) else tuple(Tap.parse(item) for item in path)


def _as_tuple(tap: Tap | tuple[Tap, ...]) -> tuple[Tap, ...]:
    return tap if isinstance(tap, tuple) else (tap,)


def _has_path(network: nn.Module, tap: Tap) -> bool:
    return any(path == tap.module for path, _ in network.named_modules())


def _check_path(network: nn.Module, name: str, tap: Tap) -> None:
    if not _has_path(network, tap):
        modules = {path for path, _ in network.named_modules()}
        raise UserError(
            f"{type(network).__name__} has no module {tap.module!r}, which its tap {name!r} names."
            f"{did_you_mean(tap.module, modules, every=False)}"
        )
