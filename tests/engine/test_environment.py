"""The environment of a run, as its result records it."""

from __future__ import annotations

import platform
import sys

import torch

import cls_kd
from cls_kd.engine.environment import environment


def test_versions_and_machine() -> None:
    facts = environment()
    assert facts == environment()
    assert facts["cls_kd"] == cls_kd.__version__
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert torch.__version__.startswith(facts["torch"].partition("+")[0])
    assert {"numpy", "torchvision", "mmengine", "mmcv", "mmpretrain"} <= set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())
    assert "unknown" not in facts.values()


def test_nobody_is_named() -> None:
    assert platform.node() not in environment().values()
    assert "node" not in environment()
