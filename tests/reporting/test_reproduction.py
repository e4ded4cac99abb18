"""A reproduction beside the published result."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from cls_kd.reporting.reproduction import Comparison, compare, reproduction_markdown
from cls_kd.runs.benchmarks import Cell, find_cell


def cell(**changes: Any) -> Cell:
    facts: dict[str, Any] = dict(
        method="kd",
        pair="cifar100/a_b",
        config=Path("a_b.py"),
        paper="",
        top1=73.0,
        teacher=75.0,
        student=70.0,
        source="a table",
        epoch="last",
        second_hand=False,
    )
    return Cell(**(facts | changes))


def result(seed: int, last: float, best: float) -> dict[str, Any]:
    validations = [{"accuracy/top1": best}, {"accuracy/top1": last}]
    return dict(
        seed=seed,
        test={"accuracy/top1": last},
        val=validations,
        teacher={"0": {"accuracy/top1": 74.5}},
    )


RESULTS = [result(0, 72.0, 72.5), result(1, 73.0, 73.5), result(2, 74.0, 74.0)]


def test_the_margin_is_that_of_one_more_run() -> None:
    comparison = Comparison("last", (72.0, 73.0, 74.0), 73.5)
    quantile = stats.t.ppf(0.975, 2)
    assert comparison.mean == 73.0
    assert comparison.deviation == pytest.approx(1.0)
    assert comparison.margin == pytest.approx(quantile * math.sqrt(4 / 3))
    assert comparison.difference == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("values", "published", "verdict"),
    [
        ((72.0, 73.0, 74.0), 75.0, "inside noise"),
        ((72.9, 73.0, 73.1), 75.0, "below"),
        ((72.9, 73.0, 73.1), 71.0, "above"),
        ((73.0,), 71.0, "one seed: noise unknown"),
        ((73.0, 73.0), 71.0, "all seeds equal: noise unknown"),
        ((72.0, 73.0), None, "nothing published"),
    ],
)
def test_verdicts(values: tuple[float, ...], published: float | None, verdict: str) -> None:
    assert Comparison("last", values, published).verdict == verdict


@pytest.mark.parametrize(
    ("epoch", "published"),
    [("last", (73.0, None)), ("best", (None, 73.0)), ("unknown", (73.0, 73.0))],
)
def test_a_figure_stands_beside_its_epoch(
    epoch: str, published: tuple[float | None, float | None]
) -> None:
    last, best = compare(cell(epoch=epoch), RESULTS)
    assert (last.published, best.published) == published
    assert last.values == (72.0, 73.0, 74.0)
    assert best.values == (72.5, 73.5, 74.0)


def test_the_text_says_what_has_to_be_known() -> None:
    text = reproduction_markdown(
        cell(track="longer", second_hand=True, note="a note"),
        RESULTS,
        {"train_cfg.max_epochs": 2},
    )
    assert "| last | 73.00 ± 1.00 | 3 | 73.00 | +0.00 |" in text
    assert "track: longer (not the usual protocol)" in text
    assert "from the table of another work; a note." in text
    assert "Teacher: ours 74.50, published 75.00." in text
    assert "Not the settings of this cell: changed were train_cfg.max_epochs=2." in text
    assert "Not the settings" not in reproduction_markdown(cell(), RESULTS, {})


def test_a_cell_of_no_name_is_refused_with_near_ones() -> None:
    with pytest.raises(ValueError, match="resnet56_resnet20"):
        find_cell("dkd/cifar100/resnet56_resnet21")
