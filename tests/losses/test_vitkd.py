"""ViTKD against a version that goes token by token, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import patch_tokens
from cls_kd.losses import ViTKDLoss

from .fabricate import Sizes, fabricate


def sizes(student: tuple = (3, 17, 6), teacher: tuple = (4, 18, 8)) -> Sizes:
    """Blocks, tokens, width; the teacher has a distillation token as well."""
    return Sizes(tokens={"student": student, "teacher": teacher})


def made(sizes: Sizes, **options: Any) -> tuple[ViTKDLoss, dict[str, Any]]:
    loss = ViTKDLoss(**options)
    loss.build(sizes.facts())
    with torch.no_grad():
        loss.generator.mask_token.normal_()
    return loss, fabricate(loss.signals, sizes)


def linear(layer: torch.nn.Module, tokens: Tensor) -> Tensor:
    if isinstance(layer, torch.nn.Identity):
        return tokens
    return torch.einsum("nld,ed->nle", tokens, layer.weight) + layer.bias


@pytest.mark.parametrize("mask_ratio", [0.5, 0.3])
@pytest.mark.parametrize("widths", [(6, 8), (8, 8)])
def test_vitkd_by_hand(
    mask_ratio: float, widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, signals = made(
        sizes((3, 17, widths[0]), (4, 18, widths[1])), alpha=2.0, beta=3.0, mask_ratio=mask_ratio
    )
    mimic = torch.tensor(0.0)
    for place in range(2):
        student = linear(loss.mimic[place], signals["student_blocks"][place][:, 1:])
        mimic = mimic + ((student - signals["teacher_blocks"][place][:, 2:]) ** 2).sum() / 4

    drawn = torch.rand(4, 16)
    monkeypatch.setattr(torch, "rand", lambda *size, **options: drawn)
    aligned = linear(loss.generator.align, signals["student_normed_tokens"][:, 1:])
    teacher = signals["teacher_normed_tokens"][:, 2:]
    kept = math.floor(16 * (1 - mask_ratio))
    generated_error = torch.tensor(0.0)
    for n in range(4):
        order = sorted(range(16), key=lambda token: drawn[n, token].item())
        masked = order[kept:]
        tokens = [
            loss.generator.mask_token[0, 0] if one in masked else aligned[n, one]
            for one in range(16)
        ]
        grid = torch.stack(tokens).reshape(4, 4, -1).permute(2, 0, 1)[None]
        first, _, second = loss.generator.generator
        hidden = F.conv2d(grid, first.weight, first.bias, padding=1).clamp_min(0)
        out = F.conv2d(hidden, second.weight, second.bias, padding=1)[0]
        for one in masked:
            error = out[:, one // 4, one % 4] - teacher[n, one]
            generated_error = generated_error + (error**2).sum()

    terms = loss(**signals)
    assert set(terms) == {"loss_mimic", "loss_generate"}
    torch.testing.assert_close(terms["loss_mimic"], 2 * mimic)
    torch.testing.assert_close(
        terms["loss_generate"], 3 * generated_error / 4 / mask_ratio, rtol=1e-5, atol=0
    )


def test_another_mask_in_each_step_and_the_same_after_a_seed() -> None:
    loss, signals = made(sizes())
    torch.manual_seed(3)
    first = loss(**signals)["loss_generate"].item()
    assert loss(**signals)["loss_generate"].item() != first
    torch.manual_seed(3)
    assert loss(**signals)["loss_generate"].item() == first


def test_class_tokens_are_left_out() -> None:
    tokens = torch.arange(18.0).reshape(1, 18, 1)
    assert patch_tokens(tokens).flatten().tolist() == list(range(2, 18))
    assert patch_tokens(tokens[:, :16]).shape == (1, 16, 1)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ((1, 17, 6), (4, 17, 8), "two blocks"),
        ((3, 17, 6), (4, 37, 8), "grid of 4x4 and the teacher of 6x6"),
        ((3, 99, 6), (4, 99, 8), "student has 99 tokens"),
        ((3, 101, 6), (4, 99, 8), "teacher has 99 tokens"),
    ],
)
def test_what_it_cannot_compare_is_refused(
    student: tuple[int, int, int], teacher: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ViTKDLoss().build(sizes(student, teacher).facts())


def test_it_must_be_built() -> None:
    with pytest.raises(UserError, match=r"build\(shapes\)"):
        ViTKDLoss()(**fabricate(ViTKDLoss().signals))
