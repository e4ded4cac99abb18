"""From result files to statistics, tables, the figure and the page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from scipy import stats

from cls_kd.errors import UserError
from cls_kd.reporting import (
    Gain,
    Report,
    adjusted,
    collect,
    comparison,
    holm,
    make_report,
    paired_gain,
    plots,
    summarize,
)
from cls_kd.reporting.statistics import MIN_PAIRS, interval
from cls_kd.reporting.tables import to_markdown

CE = [80.0, 82.0, 81.0, 84.5]
KD = [83.0, 86.5, 83.0, 88.0]


def write_run(
    root: Path, run: str, seed: int | None, test: float | None, /, **changes: Any
) -> Path:
    """A finished run whose validation accuracy is 60, 90, 80 over three epochs."""
    folder = root / run if seed is None else root / run / f"seed_{seed}"
    folder.mkdir(parents=True)
    result = {
        "run": run,
        "seed": seed or 0,
        "epochs": 3,
        "method": run,
        "teacher": {"0": {"accuracy/top1": 97.5}} if run == "kd" else {},
        "val": [
            {"epoch": epoch, "accuracy/top1": value}
            for epoch, value in ((1, 60.0), (2, 90.0), (3, 80.0 + (seed or 0)))
        ],
        "train": [{"epoch": 1, "loss": 2.1}],
        "test": None if test is None else {"accuracy/top1": test},
        "wall_seconds": 12.5,
        "checkpoint": "epoch_3.pth",
        "parameters": 1030,
        **changes,
    }
    file = folder / "result.json"
    file.write_text(json.dumps(result))
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, (ce, kd) in enumerate(zip(CE, KD, strict=True)):
        write_run(tmp_path, "ce", seed, ce)
        write_run(tmp_path, "kd", seed, kd)
    write_run(tmp_path, "teacher", None, 97.0, parameters=94186, method="ce")
    return tmp_path


def row(summary: pd.DataFrame, run: str) -> pd.Series:
    return summary.set_index("run").loc[run]


def report(root: Path, title: str | None = None) -> Report:
    return make_report(root, baseline="ce", title=title, references=["teacher"])


def series(values: list[float], first_seed: int = 0) -> pd.Series:
    return pd.Series(values, index=range(first_seed, first_seed + len(values)))


def test_collect_finds_both_places(root: Path) -> None:
    runs, curves, metric = collect(root)

    assert runs["run"].tolist() == ["ce"] * 4 + ["kd"] * 4 + ["teacher"]
    assert runs.loc[3, ["last", "best", "best_epoch", "test"]].tolist() == [83.0, 90.0, 2, 84.5]
    assert runs.loc[4, "teacher"] == 97.5
    assert np.isnan(runs.loc[0, "teacher"])
    assert len(curves) == 9 * 3
    assert metric.key == "accuracy/top1"


def test_an_empty_root_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"seed_<k>/result\.json"):
        collect(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '{"run": "ce", "se',
        "[]",
        '{"run": "ce"}',
        '{"run": "ce", "seed": 0, "epochs": 3, "val": [[1, 2]]}',
        '{"run": "ce", "seed": 0, "epochs": 3, "val": [{"epoch": 1, "accuracy/top1": null}]}',
        '{"run": "ce", "seed": 0, "epochs": 3, "val": [{"epoch": 1, "accuracy/top1": 1}, '
        '{"epoch": 2}]}',
    ],
)
def test_a_damaged_file_is_named(root: Path, text: str) -> None:
    file = root / "ce" / "seed_2" / "result.json"
    file.write_text(text)

    with pytest.raises(UserError, match=r"seed_2.*is damaged"):
        collect(root)


def test_the_same_seed_twice_is_refused(root: Path) -> None:
    write_run(root, "ce_again", None, 80.0, run="ce", seed=1)

    with pytest.raises(UserError, match=r"twice.*ce_again"):
        collect(root)


def test_the_gain_is_that_of_scipy() -> None:
    gain = paired_gain(series(KD), series(CE))
    test = stats.ttest_rel(KD, CE)
    expected = test.confidence_interval(0.95)

    assert (gain.pairs, gain.mean) == (4, 3.25)
    assert (gain.low, gain.high) == pytest.approx((expected.low, expected.high))
    assert gain.p_value == pytest.approx(test.pvalue)
    assert gain.verdict == "better"
    assert paired_gain(series(CE), series(KD)).verdict == "worse"


def test_a_gain_by_hand() -> None:
    # Differences 1 and 3: mean 2, standard error 1, t(0.975, 1) = 12.706.
    gain = paired_gain(series([11.0, 13.0]), series([10.0, 10.0]))

    assert (gain.low, gain.high) == pytest.approx((-10.706, 14.706), abs=1e-3)
    assert gain.p_value == pytest.approx(0.2952, abs=1e-4)
    assert gain.verdict == "too few seeds (2)"


def test_only_common_seeds_are_paired() -> None:
    gain = paired_gain(series([90.0, 91.0, 99.0], first_seed=2), series(CE))

    assert gain.pairs == 2
    assert gain.mean == pytest.approx((90.0 - 81.0 + 91.0 - 84.5) / 2)


@pytest.mark.parametrize(
    ("values", "first_seed", "verdict"),
    [
        ([99.0], 0, "too few seeds (1)"),
        ([99.0], 7, "no common seed"),
        ([81.0, 83.0, 82.0], 0, "all differences equal: noise unknown"),
    ],
)
def test_without_spread_nothing_is_claimed(
    values: list[float], first_seed: int, verdict: str
) -> None:
    gain = paired_gain(series(values, first_seed), series(CE))

    assert gain.verdict == verdict
    assert np.isnan([gain.low, gain.high, gain.p_value]).all()


def test_interval_of_one_value_is_unknown() -> None:
    assert np.isnan(interval([80.0])).all()


def test_the_summary(root: Path) -> None:
    summary = summarize(collect(root).runs, "ce", ["teacher"])

    assert summary["run"].tolist() == ["ce", "kd", "teacher"]
    assert summary["verdict"].tolist() == ["baseline", "better", "reference"]
    assert row(summary, "ce")["mean"] == pytest.approx(np.mean(CE))
    assert row(summary, "ce")["std"] == pytest.approx(np.std(CE, ddof=1))
    assert row(summary, "kd")[["min", "max", "gain"]].tolist() == [83.0, 88.0, 3.25]
    assert row(summary, "kd")[["last", "best", "best_epoch"]].tolist() == [81.5, 90.0, 2.0]
    assert np.isnan(row(summary, "teacher")["gain"])
    assert set(summary["figure"]) == {"test"}


def test_one_missing_test_means_validation_for_all(root: Path) -> None:
    write_run(root, "nkd", 0, None)
    summary = summarize(collect(root).runs, "ce", ["teacher"])

    assert set(summary["figure"]) == {"last"}
    assert row(summary, "ce")["mean"] == 81.5
    assert row(summary, "nkd")["verdict"] == "too few seeds (1)"


def test_a_reference_needs_no_test(root: Path) -> None:
    (root / "teacher" / "result.json").unlink()
    write_run(root, "old_teacher", None, None)
    summary = summarize(collect(root).runs, "ce", ["old_teacher"])

    assert set(summary["figure"]) == {"test"}
    assert "| old_teacher | 0 | - | - |" in to_markdown(summary)


def test_an_unknown_baseline_names_the_known_ones(root: Path) -> None:
    with pytest.raises(UserError, match=r"'cee'.*'ce'"):
        comparison(collect(root).runs, "cee")
    with pytest.raises(UserError, match="cannot be a reference"):
        comparison(collect(root).runs, "ce", ["ce"])


def test_the_report_is_written_and_can_be_read(root: Path) -> None:
    paths = report(root, "Digits").write(root)

    page = paths.page.read_text()
    assert page.startswith("# Digits\n")
    assert "| kd | 4 | 85.12 |" in page
    assert "+3.25 [" in page
    assert "Teacher, measured on the validation split: 97.50." in page
    table = pd.read_csv(paths.table)
    assert row(table, "ce")["std"] == np.std(CE, ddof=1)  # every digit
    with Image.open(paths.figure) as image:
        assert image.format == "PNG"
        assert image.width > 1000
        assert len(np.unique(np.asarray(image))) > 20
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == [
        "report.csv",
        "report.md",
        "report.png",
    ]


def test_a_report_of_single_seeds_claims_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, "ce", None, 80.0)
    write_run(tmp_path, "kd", None, 90.0, val=[])
    page = make_report(tmp_path, baseline="ce").write(tmp_path).page.read_text()

    assert "too few seeds (1)" in page
    assert "better" not in page


def test_runs_of_other_size_are_pointed_out(root: Path) -> None:
    write_run(root, "large", 0, 90.0, parameters=2000)

    assert "differ in parameters" in report(root).page()


def test_a_failed_write_leaves_the_old_page(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = report(root, "Old").write(root)

    def fail(canvas: Figure, path: Path, **options: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    before = old.figure.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        report(root, "New").write(root)
    assert old.figure.read_bytes() == before
    assert not list(root.glob(".report*"))


def test_the_terminal_shows_the_gain(root: Path) -> None:
    out = io.StringIO()
    report(root, "Digits").show(Console(file=out, width=80))

    assert "+3.25 [" in out.getvalue()
    assert "better" in out.getvalue()


# --- how many comparisons, how many seeds ---


def test_holm_by_hand() -> None:
    # 4 x 0.005; 3 x 0.01; 2 x 0.03; 0.04 may not be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_a_missing_p_value_is_no_comparison() -> None:
    values = holm([0.02, float("nan"), 0.04])

    assert values[::2] == pytest.approx([0.04, 0.04])
    assert np.isnan(values[1])
    assert holm([]) == []


def test_the_verdict_follows_the_adjusted_p_value() -> None:
    gain = Gain(10, 1.0, 0.1, 1.9, 0.03, 0.03)

    assert gain.verdict == "better"
    assert [each.verdict for each in adjusted([gain, gain])] == ["inside noise"] * 2


def test_the_summary_adjusts_for_the_number_of_runs(root: Path) -> None:
    for seed, value in enumerate([80.5, 82.1, 81.4, 84.6]):
        write_run(root, "nkd", seed, value)
    runs = collect(root).runs
    alone = summarize(runs[runs["run"] != "nkd"], "ce", ["teacher"])
    both = summarize(runs, "ce", ["teacher"])

    assert row(alone, "kd")["p_adjusted"] == row(alone, "kd")["p_value"]
    assert row(both, "kd")["p_value"] == row(alone, "kd")["p_value"]
    assert row(both, "kd")["p_adjusted"] == pytest.approx(2 * row(alone, "kd")["p_value"])
    header = to_markdown(both).splitlines()[0]
    assert "| p | p adjusted | verdict |" in header
    assert "test mean" in header


def test_two_seeds_get_a_warning_in_place_of_a_verdict(tmp_path: Path) -> None:
    for seed, (ce, kd) in enumerate([(80.0, 90.0), (80.1, 90.2)]):
        write_run(tmp_path, "ce", seed, ce)
        write_run(tmp_path, "kd", seed, kd)
    made = make_report(tmp_path, baseline="ce")

    assert row(made.summary, "kd")["p_value"] < 0.05
    assert row(made.summary, "kd")["verdict"] == "too few seeds (2)"
    words = "too few seeds for a verdict, of which ce and the run must share at least"
    assert f"> **Warning:** {words} {MIN_PAIRS}: kd (2)." in made.page()
    out = io.StringIO()
    made.show(Console(file=out, width=80))
    assert "Warning: too few seeds" in out.getvalue()


# --- other metrics ---


def test_another_metric(root: Path) -> None:
    for file in root.glob("*/seed_*/result.json"):
        result = json.loads(file.read_text())
        result["test"]["nll"] = 2.0 if result["run"] == "ce" else 1.0 + 0.01 * result["seed"]
        file.write_text(json.dumps(result))
    made = make_report(root, baseline="ce", references=["teacher"], metric="nll")

    # Nobody said whether less of it is better.
    assert row(made.summary, "kd")["verdict"] == "lower"
    assert row(made.summary, "teacher")["seeds"] == 0
    assert "(%)" not in made.page()
    with pytest.raises(UserError, match=r"No run has the metric 'nl'.*'nll'"):
        make_report(root, metric="nl")


def test_without_top1_the_first_metric_is_taken(tmp_path: Path) -> None:
    val = [{"epoch": 1, "multi-label/mAP": 40.0}]
    write_run(tmp_path, "a", 0, None, val=val, teacher={})

    assert make_report(tmp_path).summary["metric"].tolist() == ["multi-label/mAP"]


# --- the baseline, where nobody names one ---


def test_a_certain_baseline_is_taken(root: Path) -> None:
    made = make_report(root)  # the teacher has ce alone too, and more parameters

    assert made.comparison[:2] == ("ce", ("teacher",))
    assert "The baseline is ce: the only run" in made.page()


@pytest.mark.parametrize(
    "change",
    [{"method": "ce"}, {"parameters": 99}, {"epochs": 9}, {"seed": 7}],
    ids=lambda change: next(iter(change)),
)
def test_an_uncertain_baseline_is_none(tmp_path: Path, change: dict[str, Any]) -> None:
    write_run(tmp_path, "ce", 0, 80.0)
    write_run(tmp_path, "kd", 0, 85.0)
    assert make_report(tmp_path).comparison.baseline == "ce"

    write_run(tmp_path, "other", 0, 85.0, **change)
    made = make_report(tmp_path)
    assert made.comparison.baseline is None
    assert set(made.summary["verdict"]) == {"-"}
    assert "No baseline, and so no gains" in made.page()


# --- figures ---


def drawn(root: Path, monkeypatch: pytest.MonkeyPatch) -> Figure:
    figures: list[Figure] = []
    save = Figure.savefig

    def note(canvas: Figure, path: Path, **options: Any) -> None:
        figures.append(canvas)
        save(canvas, path, **options)

    monkeypatch.setattr(Figure, "savefig", note)
    collected = collect(root)
    summary = summarize(collected.runs, "ce")
    plots.draw(collected, summary, root / "report.png", "T")
    return figures[0]


def test_no_interval_leaves_the_range_of_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, (low, high) in enumerate([(1.0, 99.9), (0.1, 98.0), (4.0, 99.8)]):
        write_run(tmp_path, "ce", seed, low)
        write_run(tmp_path, "kd", seed, high)
    assert interval([99.9, 98.0, 99.8])[1] > 100
    assert interval([1.0, 0.1, 4.0])[0] < 0
    left, right = drawn(tmp_path, monkeypatch).axes

    values = [value for line in left.lines for value in line.get_xdata()]
    assert (min(values), max(values)) == (0.0, 100.0)
    assert max(right.get_ylim()) <= 101


def test_panels_say_which_split_and_have_whole_epochs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = drawn(root, monkeypatch).axes

    assert left.get_xlabel() == "test top-1 accuracy (%)"
    assert left.get_title().startswith("Test split")
    assert right.get_ylabel() == "validation top-1 accuracy (%)"
    assert right.get_title().startswith("Validation split")
    assert all(tick == round(tick) for tick in right.get_xticks())


def test_long_names_fit_into_the_legend(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in range(9):
        write_run(root, f"a_method_with_a_long_name_{place}", 0, 80.0)
    canvas = drawn(root, monkeypatch)
    FigureCanvasAgg(canvas).draw()

    (legend,) = canvas.legends
    assert canvas.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= canvas.bbox.x1


def test_the_readme_shows_a_report_of_today(root: Path) -> None:
    """Its columns; the figures are those of `make demo`."""
    page = (Path(__file__).parents[2] / "README.md").read_text()
    table = page.split("<!-- demo:begin -->\n")[1]
    titles = to_markdown(report(root).summary).splitlines()[:2]

    assert table.splitlines()[:2] == titles


def test_a_nested_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"result\.json is damaged \(RecursionError"):
        collect(tmp_path)
