"""A backbone that ends with a projector to another network's width (SimKD's student)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import InitCfg, PlainBackbone, conv1x1, conv3x3
from cls_kd.models.split_backbone import probe
from cls_kd.registry import MODELS


@MODELS.register_module()
class ProjectedBackbone(PlainBackbone):
    """A backbone and a projector of its last map, so that a teacher's classifier can follow.

    The projector is a 1x1, a 3x3 and a 1x1 convolution, each with batch normalization and ReLU, as
    in DefangChen/SimKD@2b389c3:models/util.py. It is a part of the network and is deployed with it.
    A student of `SimKDLoss` (configs/digits/simkd.py)::

        dict(
            type=ImageClassifier,
            backbone=dict(type=ProjectedBackbone, backbone=..., out_channels=128),
            neck=dict(type=GlobalAveragePooling),
            head=dict(type=LinearClsHead, num_classes=10, in_channels=128,
                      init_cfg=dict(type=TeacherClassifier, checkpoint="run:teacher")),
        )

    Args:
        backbone: Config of a backbone, of mmpretrain or of ours.
        out_channels: Width of the projected map: the teacher's.
        factor: The 3x3 convolution has ``out_channels // factor`` channels.
        size: Side in pixels of the teacher's map, where that is smaller than the backbone's, which
            is average-pooled to it beforehand. Default: as large as the backbone's.
        init_cfg: MMEngine's.

    Attributes:
        taps: Module paths of the signals: the backbone's, and ``projected``.

    Raises:
        UserError: ``out_channels`` is no multiple of ``factor``.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        out_channels: int,
        *,
        factor: int = 2,
        size: int | None = None,
        init_cfg: InitCfg = None,
    ) -> None:
        super().__init__(init_cfg)
        if factor < 1 or out_channels % factor:
            raise UserError(
                f"ProjectedBackbone: out_channels must be a multiple of factor; {out_channels} is "
                f"none of {factor}."
            )
        self.backbone = MODELS.build(dict(backbone))
        self.size = size
        middle = out_channels // factor
        self.projector = nn.Sequential(
            *_normalized(conv1x1(_width(self.backbone), middle)),
            *_normalized(conv3x3(middle, middle)),
            *_normalized(conv1x1(middle, out_channels)),
        )
        inner: Mapping[str, str | tuple[str, ...]] = getattr(self.backbone, "taps", {})
        self.taps = {name: _inside(paths) for name, paths in inner.items()}
        self.taps["projected"] = "projector"

    def forward(self, x: Tensor) -> tuple[Tensor]:
        feature = self.backbone(x)[-1]
        if self.size is not None:
            feature = F.adaptive_avg_pool2d(feature, self.size)
        return (self.projector(feature),)


def _normalized(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()


def _inside(paths: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(paths, str):
        return f"backbone.{paths}"
    return tuple(f"backbone.{path}" for path in paths)


@torch.no_grad()
def _width(backbone: nn.Module) -> int:
    """Channels of the last map."""
    training = backbone.training
    feature = backbone.eval()(probe(backbone))[-1]
    backbone.train(training)
    return feature.shape[1]
