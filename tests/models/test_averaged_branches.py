"""Branches whose moving average teaches them and is deployed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.models import AveragedMultiBranchClassifier
from cls_kd.registry import MODELS
from tests.distillers import tiny


def build(**options: Any) -> AveragedMultiBranchClassifier:
    torch.manual_seed(0)
    network = {**tiny.branches(tiny.digits_cnn(), **options), "type": AveragedMultiBranchClassifier}
    built = MODELS.build(network)
    built.init_weights()
    return built.train()


def weights(model: AveragedMultiBranchClassifier) -> dict[str, Tensor]:
    parts = ("trunk.", "branches.")
    return {k: v.detach().clone() for k, v in model.named_parameters() if k.startswith(parts)}


def averages(model: AveragedMultiBranchClassifier) -> dict[str, Tensor]:
    return {name: dict(model.mean.named_buffers())[name].clone() for name in model.mean.names}


def move(model: AveragedMultiBranchClassifier) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))


@pytest.mark.parametrize("after", ["stage1", None])
def test_the_mean_follows_the_weights(after: str | None) -> None:
    model = build(cut_after=after, momentum=0.6)
    expected = weights(model)
    for step in range(4):
        model(tiny.images())
        kept = min(1 - 1 / (step + 1), 0.6)
        for name, value in weights(model).items():
            expected[name] = kept * expected[name] + (1 - kept) * value
        for name, value in averages(model).items():
            torch.testing.assert_close(value, expected[name])
        move(model)
    assert set(expected) == set(model.mean.names)


def test_the_mean_has_no_parameters_and_is_in_the_checkpoint() -> None:
    model, other = build(), build()
    assert not list(model.mean.parameters())
    move(model)
    model(tiny.images())
    other.load_state_dict(model.state_dict(), strict=True)
    inputs = tiny.images(seed=1)
    assert torch.equal(model.eval()(inputs), other.eval()(inputs))


def test_the_mean_is_deployed() -> None:
    model = build(momentum=0.5, deploy=1)
    for _ in range(3):
        model(tiny.images())
        move(model)
    inputs, before = tiny.images(seed=1), averages(model)
    logits = model.eval()(inputs)
    torch.testing.assert_close(model.mean(inputs)[1], logits)
    torch.testing.assert_close(model.branch(1)(inputs), logits)
    torch.testing.assert_close(
        torch.stack([sample.pred_score for sample in model(inputs, mode="predict")]),
        logits.softmax(1),
    )
    assert all(torch.equal(value, before[name]) for name, value in averages(model).items())


def test_a_mean_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UserError, match=r"momentum must be in \[0, 1\), not 1"):
        build(momentum=1)
    losses = dict(pcl=dict(type="PCLLoss"))
    with pytest.raises(UserError, match="keeps no moving average of branches"):
        tiny.distiller(losses, student=tiny.branches(tiny.digits_cnn()))
