"""The student of NORM: a linear residual block that expands its last map for N teachers."""

from __future__ import annotations

from typing import Any, ClassVar

from mmengine.model import BaseModule
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.registry import MODELS


class NToOneNeck(BaseModule):
    """``x + contract(expand(x))`` on the last map, then the classifier's own neck.

    Both are a 1x1 convolution and batch normalization, without an activation: linear, so that in
    eval mode they could be merged into a linear classifier.

    Args:
        in_channels: Channels of the last map.
        expanded_channels: Channels between the two convolutions.
        neck: What follows, such as global average pooling; None for nothing.
    """

    def __init__(self, in_channels: int, expanded_channels: int, neck: nn.Module | None) -> None:
        super().__init__(init_cfg=dict(type="Kaiming", layer="Conv2d", mode="fan_out"))
        self.expand = _convolution(in_channels, expanded_channels)
        self.contract = _convolution(expanded_channels, in_channels)
        self.neck = neck

    def forward(self, features: tuple[Tensor, ...]) -> Any:
        *others, last = features
        transformed = (*others, last + self.contract(self.expand(last)))
        return transformed if self.neck is None else self.neck(transformed)


@MODELS.register_module()
class NToOneClassifier(ImageClassifier):
    """An image classifier whose last map is expanded to n times the teacher's width, and back.

    The block stays in the deployed network. Its expanded map is the signal
    ``student_expanded_feature``, which ``NORMLoss`` asks for.

    Args:
        backbone: Config of a backbone.
        neck: Config of a neck.
        head: Config of a linear head; its ``in_channels`` are those of the last map.
        teacher_channels: Channels of the teacher's last map.
        n: Number of the teacher's maps that the expanded map is compared with. Default: CIFAR-100.
        **options: Further arguments of mmpretrain's ``ImageClassifier``.

    Raises:
        UserError: The head has no ``in_channels``.
    """

    taps: ClassVar[dict[str, str]] = {"expanded_feature": "neck.expand"}

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        head: Any = None,
        *,
        teacher_channels: int,
        n: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(backbone, neck, head, **options)
        width = getattr(getattr(self, "head", None), "in_channels", None)
        if width is None:
            raise UserError(
                "NToOneClassifier takes the channels of its last map from the head: give it one "
                "with in_channels, such as LinearClsHead."
            )
        self.neck = NToOneNeck(width, n * teacher_channels, getattr(self, "neck", None))


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(out_channels),
    )
