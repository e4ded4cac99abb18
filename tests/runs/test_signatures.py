"""The keyword arguments of classes and functions, through the constructors of their bases."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import CheckpointHook
from mmengine.optim import CosineAnnealingLR
from mmpretrain.models import ResNetV1d, TimmClassifier

from cls_kd.runs.signatures import keywords


class Base:
    def __init__(self, width: int, depth: int = 1) -> None:
        self.size = (width, depth)


class Passing(Base):
    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(depth=2, **kwargs)
        self.name = name


class Keeping(Base):
    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(1, **kwargs)
        self.name, self.kept = name, kwargs


class Bare:
    pass


def test_keyword_arguments_are_followed_to_the_bases() -> None:
    assert keywords(Base).names == {"width", "depth"}
    assert keywords(Base).required == {"width"}
    assert keywords(Passing).names == {"name", "width"}  # depth is given already
    assert not keywords(Passing).others
    assert keywords(Passing).required == {"name"}
    assert not keywords(Bare).names
    assert not keywords(Bare).others


def test_keyword_arguments_that_go_elsewhere_may_be_any() -> None:
    assert keywords(Keeping).others
    assert keywords(Keeping).names == {"name", "width", "depth"}


def test_of_libraries() -> None:
    assert {"lr", "momentum"} < keywords(torch.optim.SGD).names
    assert {"T_max", "begin", "by_epoch"} < keywords(CosineAnnealingLR).names
    assert not keywords(CosineAnnealingLR).others
    assert {"depth", "frozen_stages"} < keywords(ResNetV1d).names
    assert "deep_stem" not in keywords(ResNetV1d).names
    assert keywords(TimmClassifier).others
    assert keywords(CheckpointHook).others
    assert "max_keep_ckpts" in keywords(CheckpointHook).names


def test_a_function() -> None:
    assert keywords(torch.nn.utils.clip_grad_norm_).names >= {"max_norm", "norm_type"}
    assert keywords(dict).others  # a signature that cannot be read
