"""Maps after each residual block: where networks have them, and AFD's as of its authors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cls_kd.models.cifar import CIFARResNet, CIFARWideResNet
from cls_kd.signals import NetworkSource
from tests.distillers import tiny


class Classifier(nn.Module):
    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.taps = {name: _inside(paths) for name, paths in backbone.taps.items()}
        self.head = nn.Linear(width, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images)[-1].mean((2, 3)))


def _inside(paths: Any) -> tuple[str, ...]:
    return tuple(f"backbone.{path}" for path in paths)


def block_maps(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    source = NetworkSource("teacher", network.eval(), ["teacher_block_maps"])
    source.measure(images[:1])
    with torch.no_grad():
        return source.run(images)["teacher_block_maps"]


def test_blocks_of_a_residual_network_are_its_own() -> None:
    network = Classifier(CIFARResNet(20, widths=(4, 4, 6, 8)), 8)
    images = tiny.images(2, channels=3, size=16)
    maps = block_maps(network, images)
    assert len(maps) == 9
    body = network.backbone
    x = body.relu(body.bn1(body.conv1(images)))
    layers = [block for name in body.stages for block in body.get_submodule(name)]
    with torch.no_grad():
        for seen, block in zip(maps, layers, strict=True):
            x = block(x)
            assert torch.equal(seen, x)


def test_blocks_of_a_wide_residual_network_are_activated() -> None:
    """By the batch norm and ReLU that the next block begins with, as AFD's authors have them."""
    network = Classifier(CIFARWideResNet(16, 1), 64)
    images = tiny.images(2, channels=3, size=16)
    maps = block_maps(network, images)
    assert [tuple(item.shape[1:]) for item in maps] == [
        *[(16, 16, 16)] * 2,
        *[(32, 8, 8)] * 2,
        *[(64, 4, 4)] * 2,
    ]
    body = network.backbone
    blocks = [block for name in body.stages for block in body.get_submodule(name).layer]
    norms = [*(block.bn1 for block in blocks[1:]), body.bn1]
    x = body.conv1(images)
    with torch.no_grad():
        for seen, block, norm in zip(maps, blocks, norms, strict=True):
            x = block(x)
            assert torch.equal(seen, norm(x).relu())


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (tiny.vit(12, blocks=3), [(12, 4, 4)] * 3),
        (tiny.digits_cnn((3, 4, 8)), [(3, 8, 8), (4, 4, 4), (8, 2, 2)]),
    ],
    ids=["of a transformer", "stages where blocks are unknown"],
)
def test_blocks_of_other_networks(network: dict[str, Any], expected: list[tuple[int]]) -> None:
    channels = 1 if expected[0][0] == 3 else 3
    maps = block_maps(tiny.build(network), tiny.images(2, channels=channels))
    assert [tuple(item.shape[1:]) for item in maps] == expected


def test_afd_compares_every_second_block_of_a_deep_teacher() -> None:
    losses = dict(ce=dict(type="TaskLoss"), afd=dict(type="AFDLoss", qk_dim=4, teacher_step=2))
    teacher = dict(network=tiny.resnet_cifar(2), weights="random")
    model = tiny.distiller(losses, student=tiny.resnet_cifar(2), teacher=teacher, channels=3)
    blocks = 8  # ResNet-18's
    attention = model.losses["afd"].attention
    assert (len(attention.queries), len(attention.keys)) == (blocks // 2, blocks)
