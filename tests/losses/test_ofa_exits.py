"""OFA's exits: their layers, and the sum of the inner loss over them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cls_kd.errors import UserError
from cls_kd.losses import KDLoss, OFAExitsLoss, RKDLoss
from cls_kd.modules.separable_exits import SeparableExits

from .fabricate import SIZES, fabricate


def test_the_sum_of_the_inner_loss_over_all_exits() -> None:
    inner = KDLoss(temperature=2.0)
    loss = OFAExitsLoss(loss=inner)
    assert loss.signals == ("student_stages", "teacher_embedding", "teacher_logits")
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    expected = torch.zeros(())
    for classify, feature in zip(loss.exits, signals["student_stages"], strict=True):
        *body, _, _, linear = classify
        logits = linear(nn.Sequential(*body)(feature).mean((2, 3)))
        expected = expected + inner(logits, signals["teacher_logits"])
    torch.testing.assert_close(loss(**signals), expected)


def test_layers_of_the_exits_of_four_stages() -> None:
    exits = SeparableExits((64, 128, 256, 512), width=768, num_classes=10)
    pointwise = [
        [
            (layer.in_channels, layer.out_channels)
            for layer in classify.modules()
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)
        ]
        for classify in exits
    ]
    assert pointwise == [
        [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 768)],
        [(128, 128), (128, 256), (256, 256), (256, 768)],
        [(256, 256), (256, 768)],
        [(512, 768)],
    ]
    deepest = exits[0][:3](torch.zeros(2, 64, 32, 32))
    assert deepest.shape == (2, 768, 4, 4)
    assert exits[0][-1].weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_an_inner_loss_without_logits_is_refused() -> None:
    with pytest.raises(UserError, match=r"RKDLoss does not ask for 'student_logits'"):
        OFAExitsLoss(loss=RKDLoss())
