"""OFA's exits: their layers, and the sum of the inner loss over them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cls_kd.errors import UserError
from cls_kd.losses import KDLoss, OFAExitsLoss, OFATokenExitsLoss, RKDLoss
from cls_kd.modules.separable_exits import SeparableExits
from cls_kd.modules.token_exits import TokenExits
from cls_kd.signals import SignalShapes

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


def test_the_exits_of_a_student_of_tokens() -> None:
    inner = KDLoss(temperature=2.0)
    loss = OFATokenExitsLoss(loss=inner, blocks=(0, 1), heads=2).eval()
    assert loss.signals == ("student_blocks", "teacher_logits")
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    expected = torch.zeros(())
    for classify, tokens in zip(loss.exits, signals["student_blocks"], strict=True):
        (block,) = classify.blocks
        normed = block.norm1(tokens)
        seen = tokens + block.self_attn(normed, normed, normed, need_weights=False)[0]
        hidden = nn.functional.gelu(block.linear1(block.norm2(seen)))
        seen = seen + block.linear2(hidden)
        expected = expected + inner(classify.classifier(seen[:, 0]), signals["teacher_logits"])
    torch.testing.assert_close(loss(**signals), expected)


def test_layers_of_the_token_exits_of_swin_and_deit() -> None:
    with torch.device("meta"):
        swin = TokenExits([(3136, 96), (784, 192), (196, 384), (49, 768)], 768, 10)
        deit = TokenExits([(197, 192)] * 4, 192, 10)
    merging = [[(m[1].in_features, m[1].out_features) for m in one.merging] for one in swin]
    assert merging == [
        [(4 * 96, 768), (4 * 768, 768), (4 * 768, 768)],
        [(4 * 192, 768), (4 * 768, 768)],
        [(4 * 384, 768)],
        [],
    ]
    activations = [[type(m[2]) for m in one.merging] for one in swin]
    assert activations[0] == [nn.GELU, nn.GELU, nn.Identity]
    assert activations[2] == [nn.GELU]
    assert [len(one.blocks) for one in swin] == [3, 2, 1, 1]
    assert [[(m[1].in_features, m[1].out_features) for m in one.merging] for one in deit] == (
        [[(4 * 192, 192)]] * 4
    )


def test_merged_patches_are_neighbors() -> None:
    (exit_,) = TokenExits([(1 + 196, 4)], 8, 3, heads=2)
    tokens = torch.zeros(1, 197, 4)
    tokens[0, 1 + 14 * 2 + 4] = torch.arange(4.0)  # row 2, column 4: of the merged row 1, column 2
    changed = exit_.merging(tokens[:, 1:]) != exit_.merging(torch.zeros(1, 196, 4))
    assert changed.any(dim=2).nonzero().tolist() == [[0, 1 * 7 + 2]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "4 heads do not divide the student's width 6"),
        ({"blocks": (1, 3)}, "the student has 2 blocks, and blocks names 3"),
    ],
)
def test_token_exits_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    loss = OFATokenExitsLoss(loss=KDLoss(), **{"heads": 2, **options})
    with pytest.raises(UserError, match=message):
        loss.build(SIZES.facts())


def test_tokens_that_are_no_square_have_no_exits() -> None:
    facts = SIZES.facts()
    shapes = SignalShapes({**facts.shapes, "student_blocks": ((35, 6),) * 2}, 5, 20)
    with pytest.raises(UserError, match="needs a square grid of patches"):
        OFATokenExitsLoss(loss=KDLoss(), heads=2).build(shapes)
