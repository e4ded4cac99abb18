"""tools/print_config.py: what it prints is a config, the same one, and trains."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tools.conftest import ONE_EPOCH, Trained
from tests.tools.driver import PAIR, call, fork


def test_a_list_of_runs_goes_round(trained: Trained, tmp_path: Path) -> None:
    text = call("print_config.py", PAIR, "--method", "nkd", *ONE_EPOCH).succeeded().out
    path = tmp_path / "printed.py"
    path.write_text(text)
    assert call("print_config.py", path).succeeded().out == text
    # Nothing to do: for the runner it is the very config that was trained before.
    outcome = call("train.py", path, "--work-dir", trained.work_dir).succeeded()
    assert "2 of 2 runs are finished and unchanged" in " ".join(outcome.err.split())


def test_one_run_goes_round_and_trains(trained: Trained, one_run: str, tmp_path: Path) -> None:
    path = tmp_path / "printed.py"
    path.write_text(one_run)
    assert str(trained.teacher) in one_run
    assert call("print_config.py", path).succeeded().out == one_run
    call("train.py", path, "--work-dir", tmp_path / "work").succeeded()
    before = json.loads((trained.work_dir / "nkd" / "result.json").read_text())
    after = json.loads((tmp_path / "work" / "result.json").read_text())
    assert after["train"] == before["train"]
    assert after["test"] == before["test"]


def test_a_run_whose_teacher_is_not_trained_is_printed_with_a_note(tmp_path: Path) -> None:
    options = ("--method", "nkd", "--run", "nkd", "--work-dir", tmp_path / "none")
    outcome = call("print_config.py", PAIR, *options).succeeded()
    assert "run:teacher" in outcome.out
    assert outcome.err.startswith("note: The run teacher (seed 0) has no checkpoint")
    assert not (tmp_path / "none").exists()


def test_unknown_names_are_refused() -> None:
    call("print_config.py", PAIR, "--run", "techer").refused("Did you mean 'teacher'")
    call("print_config.py", PAIR, "--method", "nkdd").refused("Did you mean 'nkd'")
    call("print_config.py", "/nowhere/pair.py").refused("does not exist")


def test_nothing_else_is_printed() -> None:
    """It is read by programs: ``tools/print_config.py CONFIG > config.py``."""
    outcome = fork("tools/print_config.py", PAIR, *ONE_EPOCH).outcome().succeeded()
    assert outcome.out == call("print_config.py", PAIR, *ONE_EPOCH).out
    assert outcome.err == ""
