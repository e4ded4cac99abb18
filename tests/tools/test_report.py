"""tools/report.py on finished runs, with and without an earlier report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cls_kd.reporting import Section, make_report
from tests.engine import tiny_runs
from tests.reporting.test_reporting import CE, KD, write_run
from tests.tools.driver import call


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    for seed, (ce, kd) in enumerate(zip(CE, KD, strict=True)):
        write_run(root, "ce", seed, ce)
        write_run(root, "kd", seed, kd)
    return root


def test_runs_without_a_report_get_one(experiment: Path) -> None:
    done = call("report.py", experiment).succeeded()

    page = (experiment / "report.md").read_text()
    assert page.startswith("# mine\n")
    assert "The baseline is ce" in page
    assert "+3.25 [" in done.out
    assert (experiment / "report.png").stat().st_size > 1000


def test_options(experiment: Path, tmp_path: Path) -> None:
    output = tmp_path / "elsewhere"
    options = ("--baseline", "kd", "--title", "Mine", "--metric", "accuracy/top1")
    call("report.py", experiment, "--output", output, *options).succeeded()

    assert (output / "report.md").read_text().startswith("# Mine\n")
    table = pd.read_csv(output / "report.csv").set_index("run")
    assert table.loc["kd", "verdict"] == "baseline"
    assert table.loc["ce", "gain"] == -3.25
    assert not (experiment / "report.md").exists()
    call("report.py", experiment, "--baseline", "kdd").refused("kdd", "Did you mean 'kd'")


def test_what_an_earlier_report_said_stays(experiment: Path) -> None:
    """Its baseline, references and title, and what analyses wrote."""
    section = Section("groups", "By group", pd.DataFrame({"group": ["head"]}))
    write_run(experiment, "old", 0, 80.0, parameters=5)
    former = make_report(experiment, baseline="kd", references=["old"], title="Former")
    former.write(experiment, [section])
    write_run(experiment, "new", 0, 90.0)
    call("report.py", experiment).succeeded()

    page = (experiment / "report.md").read_text()
    assert page.startswith("# Former\n")
    assert page.count("## By group") == 1
    table = pd.read_csv(experiment / "report.csv").set_index("run")
    assert table["verdict"].loc[["kd", "old", "new"]].tolist() == [
        "baseline",
        "reference",
        "too few seeds (1)",
    ]


def test_folders_of_one_run_are_compared(tmp_path: Path) -> None:
    """As configs of one run leave them: result.json at the top, without a name."""
    for name, value in (("pair_ce", 80.0), ("pair_kd", 85.0)):
        file = write_run(tmp_path, name, None, value, run="", method=name.removeprefix("pair_"))
        assert file == tmp_path / name / "result.json"
    folders = (tmp_path / "pair_ce", tmp_path / "pair_kd")
    call("report.py", *folders).refused("--output")
    call("report.py", *folders, "--output", tmp_path / "both").succeeded()

    table = pd.read_csv(tmp_path / "both" / "report.csv").set_index("run")
    assert table["verdict"].to_dict() == {"pair_ce": "baseline", "pair_kd": "too few seeds (1)"}


def test_experiments_are_joined(experiment: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for name in ("ce", "kd"):
        write_run(other, name, 0, 80.0)
    options = ("--output", tmp_path / "all", "--title", "All")
    call("report.py", experiment, other, *options).succeeded()

    page = (tmp_path / "all" / "report.md").read_text()
    assert "\n## mine\n" in page
    assert "\n## other\n" in page
    call("report.py", experiment, other, *options, "--baseline", "ce").refused("one experiment")
    call("report.py", experiment, other / "ce", *options).refused("other/ce", "one run")


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    call("report.py", tmp_path / "nothing").refused("nothing", "No finished run")


def test_several_seeds_are_summarized_without_being_asked(
    digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = tiny_runs.config(digits_teacher, epochs=1)
    cfg.runs = [dict(name="kd", seeds=[0, 1])]
    config = tmp_path / "seeds.py"
    config.write_text(cfg.pretty_text)
    work_dir = tmp_path / "work"
    done = call("train.py", config, "--work-dir", work_dir).succeeded()

    lines = (work_dir / "report.md").read_text().splitlines()
    assert lines[0] == "# work"
    assert any(line.startswith("| kd | 2 | ") for line in lines)
    assert "test mean" in " ".join(done.out.split())
    assert str(work_dir / "report.md") in done.out
