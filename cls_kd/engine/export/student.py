"""The student that is exported, and what a user of it must know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.export.clean_config import (
    foreign_modules,
    foreign_transforms,
    inference_pipeline,
    network_config,
)
from cls_kd.engine.export.facts import channel_order, class_names, measured_shape, test_data
from cls_kd.errors import UserError
from cls_kd.models.multi_branch import MultiBranchClassifier, check_deploy
from cls_kd.signals.heads import describe


@dataclass
class Student:
    """A trained student, and what its user must know.

    Attributes:
        network: In eval mode.
        config: Config of the network, as mmpretrain's API builds it.
        mean: Of each channel, on the scale 0 to 255; empty without normalization.
        std: Standard deviation of each channel, on the same scale.
        channel_order: Of the network's inputs: ``'rgb'``, ``'bgr'`` or ``'gray'``; None where
            neither the config nor the data tell it.
        to_rgb: Whether images in BGR order, as mmpretrain loads files, must be flipped.
        shape: Of one image, (C, H, W).
        classes: Their names, in the order of the logits; empty where nothing names them.
        pipeline: Transforms of one test image, for mmpretrain's inferencer.
        note: Where the weights come from, and what could not be found out.
        foreign: Modules outside of mmpretrain and timm that network and pipeline are made of.
        output: Name of what the network gives: ``'logits'``, or ``'embedding'`` of a backbone.
    """

    network: nn.Module
    config: dict[str, Any]
    mean: list[float]
    std: list[float]
    channel_order: str | None
    to_rgb: bool
    shape: tuple[int, ...]
    classes: list[str]
    pipeline: list[dict[str, Any]]
    note: str
    foreign: list[str] = field(default_factory=list)
    output: str = "logits"

    def inputs(self, batch: int, size: Sequence[int] | None = None) -> Tensor:
        """Random normalized images that are the same in every call, (batch, C, H, W).

        Args:
            batch: Number of images.
            size: Height and width. Default: those of ``shape``.
        """
        generator = torch.Generator().manual_seed(batch)
        return torch.randn(batch, self.shape[0], *(size or self.shape[1:]), generator=generator)

    @torch.no_grad()
    def logits(self, inputs: Tensor) -> Tensor:
        """The network's output, (N, C, H, W) to (N, K)."""
        return self.network(inputs)

    def metadata(self) -> dict[str, str]:
        """Metadata of the exported files: strings, structured values as JSON."""
        return {
            "network": describe(self.network),
            "input_shape": json.dumps(self.shape),
            "mean": json.dumps(self.mean or None),
            "std": json.dumps(self.std or None),
            "channel_order": self.channel_order or "unknown",
            "normalization": "inputs = (image - mean) / std, on the scale 0 to 255",
            "classes": json.dumps(self.classes),
        }


def read_student(
    cfg: Config,
    checkpoint: str,
    shape: Sequence[int] | None = None,
    branch: int | str | None = None,
) -> Student:
    """The student of a run with the weights of a checkpoint.

    Args:
        cfg: Config of one run.
        checkpoint: Of ours, or a plain one of the same network; every key must match.
        shape: Of one image. Default: measured on the test data.
        branch: Of a student of several branches: the place of one, or ``'ensemble'``. Default: what
            its config deploys. One branch becomes an ordinary classifier, without the others.

    Raises:
        UserError: The weights do not fit, the data are not there and ``shape`` is not given, or
            there is no such branch.
    """
    prepare_process(cfg.get("default_scope", "cls_kd"))
    if "student" not in cfg.get("model", {}):
        raise UserError("The config has no model.student: it is not a config of this project.")
    network = build_network(cfg.model.student).eval()
    if branch is not None and not isinstance(network, MultiBranchClassifier):
        raise UserError(
            f"--branch {branch}: the student {describe(network)} has no branches; a "
            "MultiBranchClassifier has."
        )
    note = load_weights(network, checkpoint)
    network, config = _deployable(network, network_config(cfg.model.student), branch)
    preprocessor = cfg.model.get("data_preprocessor", cfg.get("data_preprocessor")) or {}
    data = test_data(cfg)
    image = tuple(shape or cfg.model.get("input_shape") or measured_shape(cfg))
    order = channel_order(data, image[0], bool(preprocessor.get("to_rgb", False)))
    names, remark = class_names(data, checkpoint, _outputs(network, image))
    pipeline = inference_pipeline(data.get("pipeline", []), image)
    return Student(
        network=network,
        config=config,
        mean=[float(value) for value in preprocessor.get("mean") or ()],
        std=[float(value) for value in preprocessor.get("std") or ()],
        channel_order=order,
        to_rgb=bool(preprocessor.get("to_rgb", False)) if order is None else order == "rgb",
        shape=image,
        classes=names,
        pipeline=pipeline,
        note=f"{note} {remark}".strip(),
        foreign=sorted({*foreign_modules(network), *foreign_transforms(pipeline)}),
    )


def _deployable(
    network: nn.Module, config: dict[str, Any], branch: int | str | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Of several branches the chosen one, or all of them to answer together; with its config."""
    if not isinstance(network, MultiBranchClassifier):
        return network, config
    chosen = check_deploy(network.deploy if branch is None else branch, len(network.branches))
    if isinstance(chosen, str):
        network.deploy = chosen
        return network, {**config, "deploy": chosen}
    parts: Mapping[str, Any] = {
        key: config[key] for key in ("backbone", "neck", "head") if config.get(key)
    }
    return network.branch(chosen).eval(), {"type": "ImageClassifier", **parts}


@torch.no_grad()
def _outputs(network: nn.Module, shape: Sequence[int]) -> int:
    """Number of logits of one image.

    Raises:
        UserError: The network cannot take an image of this shape.
    """
    try:
        return int(network(torch.zeros(1, *shape)).shape[-1])
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UserError(
            f"The student {describe(network)} cannot take an image of shape {tuple(shape)}: {error}"
        ) from error
