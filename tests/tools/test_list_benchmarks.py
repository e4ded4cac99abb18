"""tools/list_benchmarks.py: what there is to reproduce."""

from __future__ import annotations

import pytest

from cls_kd.runs.benchmarks import read_cells
from tests.tools.driver import call


def test_all_are_listed() -> None:
    out = call("list_benchmarks.py").succeeded().out
    assert out.rstrip().endswith(f"{len(read_cells())} benchmarks.")


def test_one_of_a_method_on_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = call("list_benchmarks.py", "--method", "dkd", "--pair", "resnet32x4_resnet8x4")
    assert "76.32‡" in out.succeeded().out
    assert "+3.82" in out.out
    assert "configs/benchmarks/dkd/cifar100/resnet32x4_resnet8x4.py" in out.out
    assert "1 benchmarks." in out.out


def test_pairs_are_found_by_data_and_by_network() -> None:
    for pair, count in (("imagenet", 2), ("mobilenet_v1", 1), ("resnet110", 2)):
        out = call("list_benchmarks.py", "--method", "dkd", "--pair", pair).succeeded().out
        assert f"{count} benchmarks." in out, pair


def test_near_matches_are_offered() -> None:
    call("list_benchmarks.py", "--method", "dkdd").refused("'dkdd'", "'dkd'")
    call("list_benchmarks.py", "--pair", "vgg13_vgg9").refused("'vgg13_vgg9'", "'vgg13_vgg8'")
    call("list_benchmarks.py", "--method", "nkd", "--pair", "deit3_base_deit_tiny").refused(
        "of nkd"
    )
