"""Networks of timm, used without mmpretrain: their ``feature_info`` leads to their stages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cls_kd.signals import NetworkSource, find_taps

timm = pytest.importorskip("timm")

SIZE = 64
STAGES = {
    "resnet18": (64, 128, 256, 512),
    "convnext_atto": (40, 80, 160, 320),
    "mobilenetv3_small_050": (8, 16, 24, 288),
    "efficientnet_b0": (24, 40, 112, 320),
    "regnetx_002": (24, 56, 152, 368),
    "densenet121": (256, 512, 1024, 1024),
}


def measured(name: str, **options: Any) -> dict[str, Any]:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=7, **options)
    names = [f"teacher_{name}" for name in find_taps(network)] + ["teacher_logits"]
    size = options.get("img_size", SIZE)
    source = NetworkSource("teacher", network, names)
    shapes = source.measure(torch.zeros(1, 3, size, size, device="meta"))
    return {name.removeprefix("teacher_"): shape for name, shape in shapes.items()}


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_at_strides_4_to_32(name: str) -> None:
    sides = (16, 8, 4, 2)
    expected = tuple((width, side, side) for width, side in zip(STAGES[name], sides, strict=True))
    shapes = measured(name)
    assert shapes["stages"] == expected
    assert shapes["feature"][1:] == (2, 2)
    assert len(shapes["embedding"]) == 1


def test_tokens_of_a_vision_transformer() -> None:
    shapes = measured("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=3)
    assert shapes["blocks"] == ((17, 192),) * 3
    assert shapes["tokens"] == shapes["normed_tokens"] == (17, 192)
