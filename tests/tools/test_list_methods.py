"""tools/list_methods.py: the table of methods, on the terminal and in a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.engine.catalog import BEGIN, END, catalog, find, to_markdown
from cls_kd.runs.compose import known_methods
from cls_kd.signals import VOCABULARY
from tests.tools.driver import ROOT, call

README = ROOT / "docs" / "method_table.md"


def test_every_loss_says_what_it_does_asks_for_and_comes_from() -> None:
    for entry in catalog():
        assert entry.summary.endswith("."), entry.name
        assert entry.paper, f"{entry.name} has no line 'Paper: ...'"
        assert set(entry.signals) <= set(VOCABULARY), entry.name
        assert entry.methods, f"no config in configs/methods uses {entry.name}"


def test_every_method_config_is_found_by_its_name() -> None:
    entries = catalog()
    for name in known_methods():
        assert find(name, entries)


def test_what_is_known_of_one() -> None:
    (entry,) = find("DKDLoss", catalog())
    assert entry.signals == ("student_logits", "teacher_logits", "labels")
    assert entry.options == {"alpha": 1.0, "beta": 8.0, "temperature": 4.0}
    assert entry.defaults == "alpha=1.0, beta=8.0, temperature=4.0"
    assert entry.paper == "Zhao et al. 2022, arXiv:2203.08679"
    assert {"dkd", "dkd_standardized"} <= set(entry.methods)


def test_markdown_is_one_row_a_loss() -> None:
    entries = catalog()
    lines = to_markdown(entries).splitlines()
    assert len(lines) == len(entries) + 2
    assert {line.count(" | ") for line in lines} == {4}
    (row,) = [line for line in lines if line.startswith("| `DKDLoss`")]
    assert "[arXiv:2203.08679](https://arxiv.org/abs/2203.08679)" in row
    assert "`student_logits` `teacher_logits` `labels`" in row


def test_the_terminal_shows_names_in_full() -> None:
    out = call("list_methods.py").succeeded().out
    for entry in catalog():
        assert entry.name[:8] in out
    assert "…" not in out
    assert "temperature=4.0" in call("list_methods.py", "DKDLoss").succeeded().out


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    call("list_methods.py", "DKDLos").refused("'DKDLos'", "Did you mean 'DKDLoss'")


def test_a_page_is_written_and_checked(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    call("list_methods.py", "--check", page).refused("stale", "--write")
    call("list_methods.py", "--write", page).succeeded()
    call("list_methods.py", "--check", page).succeeded()
    text = page.read_text()
    assert text == f"# Before\n\n{BEGIN}\n{to_markdown(catalog())}\n{END}\n\nAfter.\n"
    call("list_methods.py", "--write", page).succeeded()
    assert page.read_text() == text


@pytest.mark.parametrize(
    "text", ["nothing", f"{BEGIN} only", f"{END} {BEGIN}", f"{BEGIN}{END}" * 2]
)
def test_a_page_without_one_pair_of_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    call("list_methods.py", "--write", page).refused("needs the markers")
    assert page.read_text() == text
    call("list_methods.py", "--check", tmp_path / "none.md").refused("does not exist")


def test_the_readme_is_up_to_date() -> None:
    if not README.is_file() or BEGIN not in README.read_text(encoding="utf-8"):
        pytest.skip("README.md has no table of methods")
    call("list_methods.py", "--check", README).succeeded()
