"""The benchmark runs: its contestants take turns, and all of them are in the table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "sweep_cost.py"
SHORT = ["--counts", "2", "--block", "1", "--blocks", "1", "--batch-size", "2"]


def test_every_variant_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("sweep_cost", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    costs = module.main([*SHORT, "--pair", "pairs/cifar100/resnet56_resnet20"])
    names = [variant.name for variant in module.VARIANTS]
    assert list(costs.of) == [(name, 2) for name in names]
    assert all(seconds > 0 for times in costs.of.values() for seconds in times)
    assert 0.5 < costs.limits(2)[0] < 1
    assert f"| methods | bare loops | limit | {' | '.join(names)} |" in capsys.readouterr().out
