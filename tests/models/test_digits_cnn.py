"""The network, its classifiers in the configs, and that its taps are where they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from cls_kd.models import DigitsCNN
from cls_kd.registry import MODELS

CONFIGS = Path(__file__).parents[2] / "configs"


def recorded(network: nn.Module, paths: tuple[str, ...], images: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    hooks = [
        network.get_submodule(path).register_forward_hook(lambda _m, _i, out: maps.append(out))
        for path in paths
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return maps


@pytest.mark.parametrize(
    ("name", "parameters", "channels"),
    [("digits_teacher", 94_186, 128), ("digits_student", 1_030, 8)],
)
def test_the_networks_of_the_configs(name: str, parameters: int, channels: int) -> None:
    model = MODELS.build(Config.fromfile(CONFIGS / "networks" / f"{name}.py")[name])
    images = torch.randn(3, 1, 8, 8)

    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert [out.shape for out in model.backbone(images)] == [(3, channels, 2, 2)]
    assert model(images).shape[0] == 3
    assert model.head(model.extract_feat(images)).shape == (3, 10)


def test_taps_name_each_stage_before_and_after_the_relu() -> None:
    network = DigitsCNN(widths=(4, 6, 8)).eval()
    images = torch.randn(2, 1, 8, 8)
    stages = recorded(network, network.taps["stages"], images)
    preacts = recorded(network, network.taps["preacts"], images)

    assert [tuple(out.shape[1:]) for out in stages] == [(4, 8, 8), (6, 4, 4), (8, 2, 2)]
    assert all(torch.equal(pre.relu(), out) for pre, out in zip(preacts, stages, strict=True))
    assert all(bool((pre < 0).any()) for pre in preacts)
    assert torch.equal(network(images)[-1], stages[-1])


def test_widths_decide_the_number_of_stages() -> None:
    network = MODELS.build(dict(type="DigitsCNN", widths=(4, 4), in_channels=3))

    assert network.taps["stages"] == ("stage1", "stage2")
    assert network(torch.randn(2, 3, 8, 8))[0].shape == (2, 4, 4, 4)


def test_dropout_acts_in_training_only() -> None:
    network = DigitsCNN(widths=(8, 8, 64), dropout=0.5)
    images = torch.randn(4, 1, 8, 8)

    dropped = network.train()(images)[0].flatten(2).abs().sum(2) == 0
    network.eval()
    assert dropped.float().mean() > 0.2
    assert torch.equal(network(images)[0], network(images)[0])
