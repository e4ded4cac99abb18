"""Run against run: the paired gain of result files, and the section that is written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mmengine.config import Config

from cls_kd.analyses import FinishedRun, comparisons
from cls_kd.errors import UserError
from cls_kd.runs import Run, mark_finished

TEST = {"kd": [80.0, 82.0, 84.0], "nkd": [81.0, 84.0, 87.0]}


@pytest.fixture
def runs(tmp_path: Path) -> list[FinishedRun]:
    made = []
    for name, values in TEST.items():
        for seed, value in enumerate(values):
            run = Run(name, seed, Config({"seed": seed}), tmp_path / name / f"seed_{seed}")
            run.work_dir.mkdir(parents=True)
            val = [{"epoch": 1, "accuracy/top1": 0.0}]
            mark_finished(run, {"epochs": 1, "val": val, "test": {"accuracy/top1": value}})
            made.append(FinishedRun(run))
    return made


def test_the_gain_is_paired_by_seed(runs: list[FinishedRun]) -> None:
    row = comparisons(runs, pairs=[("nkd", "kd")]).table.iloc[0]
    assert row["gain"] == pytest.approx(2.0)
    # differences 1, 2, 3: standard error 1 / sqrt(3), t of 2 degrees of freedom 4.303
    assert row["high"] - row["gain"] == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert row["verdict"] == "inside noise"
    assert comparisons(runs, pairs=[("kd", "nkd")]).table["gain"].item() == pytest.approx(-2.0)


def test_p_is_adjusted_for_the_number_of_pairs(runs: list[FinishedRun]) -> None:
    table = comparisons(runs, pairs=[("nkd", "kd"), ("kd", "nkd")]).table
    assert table["p adjusted"].tolist() == pytest.approx((2 * table["p"]).tolist())


def test_it_is_written_as_page_table_and_figure(runs: list[FinishedRun], tmp_path: Path) -> None:
    section = comparisons(runs, pairs=[("nkd", "kd")])
    table, figure = section.write(tmp_path)
    assert pd.read_csv(table)["gain"].item() == pytest.approx(2.0)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "| nkd | kd | 2.00 |" in section.markdown()
    assert "comparisons.png" in section.markdown()


def test_an_unknown_run_is_named(runs: list[FinishedRun]) -> None:
    with pytest.raises(UserError, match=r"no run 'nkdd'.*nkd"):
        comparisons(runs, pairs=[("nkdd", "kd")])
