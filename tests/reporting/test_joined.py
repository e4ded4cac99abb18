"""Reports of several experiments as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cls_kd.errors import UserError
from cls_kd.reporting import Section, make_report, write_joined
from tests.reporting.test_reporting import CE, KD, write_run


@pytest.fixture
def experiments(tmp_path: Path) -> list[Path]:
    folders = []
    for name in ("first", "second"):
        folder = tmp_path / name
        for seed, (ce, kd) in enumerate(zip(CE, KD, strict=True)):
            write_run(folder, "ce", seed, ce)
            write_run(folder, "kd", seed, kd)
        table = pd.DataFrame({"group": ["head", "tail"], "recall": [90.123, float("nan")]})
        section = Section("groups", "By group", table, ["A note."], lambda c: c.subplots())
        made = make_report(folder, baseline="ce", title=f"Title of {name}")
        made.write(folder, [section])
        folders.append(folder)
    return folders


def test_sections_are_part_of_the_page(experiments: list[Path]) -> None:
    page = (experiments[0] / "report.md").read_text()
    assert "## By group\n\n| group | recall |\n| --- | ---: |\n| head | 90.12 |" in page
    assert "| tail | - |" in page
    assert "![By group](groups.png)" in page
    assert "- A note." in page
    assert Image.open(experiments[0] / "groups.png").size[0] > 500
    assert pd.read_csv(experiments[0] / "groups.csv")["recall"][0] == 90.123


def test_pages_tables_and_gains_are_joined(experiments: list[Path], tmp_path: Path) -> None:
    page, table, figure = write_joined(tmp_path / "all", experiments, "All of it")
    text = page.read_text()
    assert text.startswith("# All of it\n")
    assert "\n## Title of first\n" in text
    assert "\n### By group\n" in text
    for image in ("../first/report.png", "../second/groups.png"):
        assert f"({image})" in text
        assert (page.parent / image).is_file()
    rows = pd.read_csv(table)
    assert rows.groupby("experiment")["run"].apply(list).to_dict() == {
        "first": ["ce", "kd"],
        "second": ["ce", "kd"],
    }
    assert Image.open(figure).size[0] > 500


def test_a_folder_without_a_report_is_named(experiments: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing has no report"):
        write_joined(tmp_path / "all", [*experiments, tmp_path / "nothing"], "All")
    (experiments[0] / "report.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="damaged"):
        write_joined(tmp_path / "all", experiments, "All")
    assert not (tmp_path / "all").exists()


def test_a_small_figure_is_not_shown_as_zero() -> None:
    table = pd.DataFrame({"p": [0.0, 3.4e-05, 0.02, -1.5]})
    page = Section("ps", "Ps", table).markdown()
    assert [line.strip("| ") for line in page.splitlines()[4:8]] == [
        "0.00",
        "3.4e-05",
        "0.02",
        "-1.50",
    ]


def test_panels_share_their_scale(
    experiments: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(experiments[1], "far", 0, 10.0)
    for seed, ce in enumerate(CE[1:], 1):
        write_run(experiments[1], "far", seed, ce - 70 + seed)
    make_report(experiments[1], baseline="ce").write(experiments[1])
    figures: list[Figure] = []
    save = Figure.savefig

    def note(canvas: Figure, path: Path, **options: Any) -> None:
        figures.append(canvas)
        save(canvas, path, **options)

    monkeypatch.setattr(Figure, "savefig", note)
    monkeypatch.setattr(
        "cls_kd.reporting.style.replace_atomically", lambda path, write: write(path)
    )
    write_joined(tmp_path / "all", experiments, "All")

    first, second = figures[0].axes
    assert first.get_xlim() == second.get_xlim()
    assert first.get_xlim()[0] < -60
    assert "test top-1 accuracy, percentage points over ce" in first.get_title(loc="left")
