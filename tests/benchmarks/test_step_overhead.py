"""The benchmark runs, and both of its loops compute the same. How long they take is not tested."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "step_overhead.py"
SHORT = ["--pairs", "tiny", "--blocks", "2", "--block", "3", "--warmup", "1"]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("step_overhead", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("options", [[], ["--collate", "list"], ["--amp"]], ids=" ".join)
def test_both_loops_compute_the_same_losses(
    benchmark: ModuleType, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = benchmark.main([*SHORT, *options])
    assert [one.name for one in outcomes] == ["tiny, kd", "tiny, at"]
    printed = capsys.readouterr().out
    for one in outcomes:
        assert len(one.ours) == len(one.bare) == 2
        assert one.difference < 1e-5
        assert one.row() in printed


def test_the_parts_are_listed(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = benchmark.main([*SHORT, "--methods", "kd", "--profile"])
    assert {"preprocessing", "signals", "losses", "hooks and log"} <= set(outcome.parts)
    assert "| preprocessing |" in capsys.readouterr().out
