"""The frozen teacher: eval mode, no gradient, own normalisation, the same bits after training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from cls_kd.distillers.networks import (
    PUBLISHED,
    NetworkConfig,
    build_network,
    build_with_weights,
)
from cls_kd.distillers.weights import weights_config
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from cls_kd.signals import NetworkSource
from cls_kd.signals.sources import describe

UNTRAINED = "random"
"""``weights='random'``: an untrained teacher, said aloud; for benchmarks and smoke runs."""


@MODELS.register_module()
class Teacher(nn.Module):
    """A network that teaches and never learns.

    Whatever ``train()`` is called on it or on the distiller, it stays in eval mode (batch norm
    statistics, dropout), unless ``train_mode`` asks for the opposite. A copy of the distiller (an
    EMA) shares it instead of copying it.

    Args:
        network: Config or name of a classifier (see ``distillers.networks``).
        weights: Path or URL of a checkpoint of ours, of mmpretrain's, or of safetensors;
            ``'pretrained'`` (published under the network's name); ``'random'`` (untrained);
            or ``dict(source=..., drop_classifier=True)``.
        name: What losses call it by (``teacher='name'``) where there are several. Default: its
            place in the list.
        data_preprocessor: ``dict(mean=..., std=..., to_rgb=...)`` where the teacher was trained
            with another normalisation than the student's. Default: the one that the network brings
            along, if any, else the student's.
        taps: Places that differ from what the network declares (see ``signals.taps``).
        train_mode: Run the network in training mode in training steps: batch norm by the batch,
            dropout and stochastic depth act, running statistics drift. A fault of yzd-v/cls_KD, to
            reproduce its figures with (docs/protocols.md). Default: eval mode.

    Raises:
        UserError: No weights, or weights that do not fit.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        network: NetworkConfig | nn.Module,
        weights: str | Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        data_preprocessor: Mapping[str, Any] | None = None,
        taps: Mapping[str, str | tuple[str, ...]] | None = None,
        train_mode: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.note = _built(network, weights)
        if train_mode:
            self.note += " It runs in TRAINING MODE (train_mode=True): its batch statistics drift."
        self.train_mode = train_mode
        self.network.requires_grad_(False)
        self.name = name
        self.taps = taps
        self.normalisation = _normalisation(self.network, weights, data_preprocessor)
        self.flip = False
        self.register_buffer("scale", None, persistent=False)
        self.register_buffer("shift", None, persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stays in eval mode, whatever ``mode``."""
        return super().train(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Teacher:
        return self

    def listen(self, names: Iterable[str]) -> None:
        """Attach to the network what the losses ask of this teacher."""
        self.source = NetworkSource("teacher", self.network, names, self.taps)

    def match(self, preprocessor: nn.Module) -> None:
        """Prepare to turn inputs as ``preprocessor`` normalises them into this teacher's own."""
        own, student = self.normalisation, _read_normalisation(preprocessor)
        if own is None or own == student:
            return
        mean, std = _columns(student, flip=student["to_rgb"] != own["to_rgb"])
        own_mean, own_std = _columns(own)
        self.flip = student["to_rgb"] != own["to_rgb"]
        self.scale, self.shift = std / own_std, (mean - own_mean) / own_std

    def see(self, inputs: Tensor) -> Tensor:
        """The student's normalised inputs as this teacher wants them, (N, 3, H, W)."""
        if self.flip:
            inputs = inputs.flip(1)
        return inputs if self.scale is None else inputs * self.scale + self.shift

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> dict[str, Any]:
        """The signals that were asked for; the network does not run where none was."""
        if not self.source.tensors:
            return {}
        if self.network.training != self.train_mode:
            self.network.train(self.train_mode)
        return self.source.run(self.see(inputs))

    def digest(self) -> str:
        """SHA-256 of every parameter and buffer of the network."""
        hasher = hashlib.sha256()
        for key, value in sorted(self.network.state_dict().items()):
            hasher.update(key.encode())
            hasher.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return hasher.hexdigest()


def _built(
    network: NetworkConfig | nn.Module, weights: str | Mapping[str, Any] | None
) -> tuple[nn.Module, str]:
    if weights is None:
        raise UserError(
            "The teacher has no weights: give teacher=dict(network=..., weights=...) the "
            "checkpoint's path or URL, 'pretrained' for those published under its name, or "
            "'random' if an untrained teacher is really meant."
        )
    if weights == UNTRAINED:
        built = build_network(network)
        return built, f"{describe(built)} is UNTRAINED (weights='random')."
    return build_with_weights(network, weights)


def _normalisation(
    network: nn.Module,
    weights: str | Mapping[str, Any] | None,
    given: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    if given is not None:
        _check_keys(given)
        return {"to_rgb": False, **{key: given[key] for key in given if key != "type"}}
    own = getattr(network, "data_preprocessor", None)
    if getattr(own, "_enable_normalize", False):
        return _read_normalisation(own)
    # What timm says of a network holds for the weights that timm publishes, and for no others.
    published = weights is not None and weights_config(weights)["source"] == PUBLISHED
    if published and isinstance(network, TimmClassifier):
        config = network.model.pretrained_cfg
        return {
            "mean": [255.0 * value for value in config["mean"]],
            "std": [255.0 * value for value in config["std"]],
            "to_rgb": True,
        }
    return None


def _check_keys(given: Mapping[str, Any]) -> None:
    if not {"mean", "std"} <= set(given) or set(given) - {"mean", "std", "to_rgb", "type"}:
        raise UserError(
            "The teacher's data_preprocessor takes mean, std and to_rgb; it got "
            f"{', '.join(given) or 'nothing'}."
        )


def _read_normalisation(preprocessor: Any) -> dict[str, Any]:
    to_rgb = bool(getattr(preprocessor, "to_rgb", False))
    if not getattr(preprocessor, "_enable_normalize", False):
        return {"mean": [0.0], "std": [1.0], "to_rgb": to_rgb}
    return {
        "mean": preprocessor.mean.flatten().tolist(),
        "std": preprocessor.std.flatten().tolist(),
        "to_rgb": to_rgb,
    }


def _columns(normalisation: Mapping[str, Any], flip: bool = False) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(normalisation[key], dtype=torch.float32).view(-1, 1, 1)
        for key in ("mean", "std")
    )
    return (mean.flip(0), std.flip(0)) if flip else (mean, std)
