"""The files of examples/ run, and what they train learns something."""

from __future__ import annotations

import ast
import os
import re
import runpy
from pathlib import Path
from unittest import mock

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
# Arguments for a short run, the package that it needs, and accuracy in percent that any network
# must exceed: a guess of ten classes gives 10.
RUNS: dict[str, tuple[list[str], str, float]] = {
    "plain_pytorch": (["--epochs", "4"], "sklearn", 15),
    "torchvision_amp": (["--epochs", "1", "--images", "64"], "sklearn", 0),
    "lightning_module": (["--epochs", "1"], "lightning", 60),
    "huggingface_trainer": (["--epochs", "0.3"], "transformers", 0),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_the_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, package, least = RUNS[name]
    pytest.importorskip(package)
    # Lightning leaves variables of torch.distributed behind, which others take for a launcher's.
    with mock.patch.dict(os.environ):
        runpy.run_path(str(FOLDER / f"{name}.py"))["main"](arguments)
    accuracies = re.findall(r"^\w[\w-]* +([\d.]+) %$", capsys.readouterr().out, re.M)
    assert len(accuracies) >= 2
    assert all(least < float(value) <= 100 for value in accuracies), accuracies


def test_the_plain_loop_is_short() -> None:
    """Training and evaluation, beside the network and the data: under 40 lines of code."""
    source = (FOLDER / "plain_pytorch.py").read_text()
    functions = {node.name: node for node in ast.parse(source).body if hasattr(node, "name")}
    lines = 0
    for name in ("fit", "accuracy"):
        node = functions[name]
        text = source.splitlines()[node.lineno - 1 : node.end_lineno]
        lines += sum(bool(line.strip()) for line in text)
    assert lines < 40
