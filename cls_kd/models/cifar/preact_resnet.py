"""Networks of pre-activation blocks for 32x32 images: Wide ResNets and PreAct-ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import KAIMING, InitCfg, PlainBackbone, conv1x1, conv3x3
from cls_kd.registry import MODELS


class PreActBlock(nn.Module):
    """Batch norm, ReLU, convolution, twice; a projection sees the activated input."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        projects = stride != 1 or in_channels != channels
        self.convShortcut = conv1x1(in_channels, channels, stride) if projects else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu(self.bn1(x))
        out = self.relu(self.bn2(self.conv1(active)))
        return self.conv2(out) + (x if self.convShortcut is None else self.convShortcut(active))


class PreActStage(nn.Module):
    """Blocks in a row, named as in the public code of Wide ResNets."""

    def __init__(self, in_channels: int, channels: int, count: int, stride: int) -> None:
        super().__init__()
        first = PreActBlock(in_channels, channels, stride)
        rest = (PreActBlock(channels, channels, 1) for _ in range(count - 1))
        self.layer = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@MODELS.register_module()
class CIFARPreActResNet(PlainBackbone):
    """PreAct-ResNet (He et al. 2016, arXiv:1603.05027) with a 3x3 stem; by default of 18 layers.

    As in the paper batch norm and ReLU follow the last block; some public code leaves them out.

    A stage ends before batch norm and ReLU, so ``stages`` are raw sums. ``preacts`` are these after
    the batch norm that follows, which belongs to the next stage; ``block_maps`` are after the ReLU.

    Args:
        blocks: Number of blocks of each stage.
        widths: Channels of each stage.
        stem_channels: Channels of the first convolution, which nothing follows.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        stem_channels: int = 64,
        init_cfg: InitCfg = KAIMING,
    ) -> None:
        super().__init__(init_cfg)
        self.conv1 = conv3x3(3, stem_channels)
        self.stages = tuple(f"block{number}" for number in range(1, len(widths) + 1))
        in_channels = stem_channels
        for name, count, channels in zip(self.stages, blocks, widths, strict=True):
            stride = 1 if name == "block1" else 2
            self.add_module(name, PreActStage(in_channels, channels, count, stride))
            in_channels = channels
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        norms = (*(f"{name}.layer.0.bn1" for name in self.stages[1:]), "bn1")
        # A block's map after the batch norm and ReLU that follow, which the next block begins with.
        later = zip(self.stages, blocks, strict=True)
        paths = [f"{name}.layer.{index}" for name, count in later for index in range(count)]
        block_maps = (*(f"{path}.conv1:input" for path in paths[1:]), "relu")
        self.taps = {"stages": self.stages, "preacts": norms, "block_maps": block_maps}

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.conv1(x)
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (self.relu(self.bn1(x)),)


@MODELS.register_module()
class CIFARWideResNet(CIFARPreActResNet):
    """WRN-d-k (Zagoruyko and Komodakis 2016, arXiv:1605.07146), named as in RepDistiller [1].

    [1] https://github.com/HobbitLong/RepDistiller

    Args:
        depth: 6n + 4.
        widen: Factor on the channels 16, 32, 64 of the three stages; the stem has always 16.
    """

    def __init__(self, depth: int, widen: int, *, init_cfg: InitCfg = KAIMING) -> None:
        if depth < 10 or (depth - 4) % 6:
            raise UserError(f"A Wide ResNet has a depth of 6n + 4, not {depth}.")
        super().__init__(
            blocks=((depth - 4) // 6,) * 3,
            widths=(16 * widen, 32 * widen, 64 * widen),
            stem_channels=16,
            init_cfg=init_cfg,
        )
