"""The notebooks run from their first cell to their last, and show what their text says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_distillation.ipynb"
TITLES = ["teacher (seed 0)", "student (seed 0)", "student (seed 1)", "student (seed 2)"]


def outputs(notebook: nbformat.NotebookNode) -> list[str]:
    """Text of what each cell of code shows."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Warnings of packages are no results.
            shown = [one for one in cell.outputs if one.get("name") != "stderr"]
            texts.append("".join(one.get("text") or one["data"]["text/plain"] for one in shown))
    return texts


def check(notebook: nbformat.NotebookNode) -> None:
    """The key results: the runs, the gain with its interval, the files, the predictions."""
    titles, training, table, files, measured, predictions = outputs(notebook)
    assert eval(titles) == [*TITLES, "kd (seed 0)", "kd (seed 1)", "kd (seed 2)"]
    assert training == ""
    rows = {line.split()[1]: line.split() for line in table.splitlines() if line[:1].isdigit()}
    assert set(rows) == {"student", "kd", "teacher"}
    accuracies = {run: float(row[3]) for run, row in rows.items()}
    gain, low, high = map(float, rows["kd"][5:8])
    assert gain == pytest.approx(accuracies["kd"] - accuracies["student"], abs=0.011)
    assert low <= gain <= high
    assert accuracies["teacher"] > accuracies["student"] > 50
    assert {"student.md", "student.onnx", "student_int8.onnx"} <= set(eval(files))
    before, after = map(float, re.findall(r"(\d+\.\d+) %", measured))
    assert before == pytest.approx(after, abs=5)
    pairs = eval(predictions)
    assert [label for label, _ in pairs] == ["zero", "one", "two", "three", "four"]
    assert sum(label == prediction for label, prediction in pairs) >= 3


def test_it_runs_and_shows_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=240, resources=resources).execute()
    check(notebook)


def test_its_outputs_are_those_of_a_real_run() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    check(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    kinds = [one.output_type for cell in notebook.cells for one in cell.get("outputs", [])]
    assert "error" not in kinds
    # No path of the machine that it was run on.
    assert not re.search(r"/(tmp|home|root|usr|work|Users)\b", NOTEBOOK.read_text())
