"""MobileNetV1 for ImageNet, the student of ResNet-50 in many papers."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.models.plain_backbone import InitCfg, PlainBackbone, conv1x1, conv3x3, depthwise
from cls_kd.registry import MODELS

# Channels and stride of each depthwise separable unit.
_UNITS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
_TAPPED = (3, 5, 11, 13)


def _unit(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        depthwise(in_channels, stride),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        conv1x1(in_channels, channels),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


@MODELS.register_module()
class MobileNetV1(PlainBackbone):
    """MobileNetV1 (Howard et al. 2017, arXiv:1704.04861) at full width, total stride 32.

    Named as in mdistiller [1], where weights start as torch has them; so they do here by default.
    In yzd-v/cls_KD convolutions start normal: ``init_cfg=dict(type='Kaiming', layer='Conv2d')``.
    ``stages`` are the last maps of 56, 28, 14 and 7 pixels of an image of 224.

    [1] https://github.com/megvii-research/mdistiller

    Args:
        init_cfg: MMEngine's.
    """

    def __init__(self, *, init_cfg: InitCfg = None) -> None:
        super().__init__(init_cfg)
        stem = nn.Sequential(conv3x3(3, 32, 2), nn.BatchNorm2d(32), nn.ReLU(inplace=True))
        self.model = nn.Sequential(stem)
        in_channels = 32
        for channels, stride in _UNITS:
            self.model.append(_unit(in_channels, channels, stride))
            in_channels = channels
        self.taps = {
            "stages": tuple(f"model.{unit}" for unit in _TAPPED),
            "preacts": tuple(f"model.{unit}.4" for unit in _TAPPED),
        }

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.model(x),)
