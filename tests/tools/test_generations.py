"""A chain of generations at the command line: stopped, gone on with, changed, analysed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cls_kd.distillers import Distiller
from cls_kd.engine import load_config
from tests.engine import tiny_runs
from tests.tools.driver import ROOT, call, contents

PAPER = ROOT / "configs" / "digits" / "papers" / "generations.py"
EPOCHS = 2
RUNS = ("tsd_0", "tsd_1", "tsd_2")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's config, dumped: one chain, two seeds, two epochs."""
    cfg = load_config(PAPER)
    cfg.runs = dict(tsd=cfg.runs.tsd)
    cfg.runs.tsd.update(students=2, seeds=[0, 1])
    cfg.train_dataloader.dataset = tiny_runs.TRAIN
    cfg.train_dataloader.batch_size = 20
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = 60
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.param_scheduler[0].T_max = EPOCHS
    cfg.default_hooks.checkpoint.interval = 1
    cfg.report.baseline = "tsd_0"
    cfg.analyses[0].baseline = "tsd_0"
    path = tmp_path_factory.mktemp("config") / "chain.py"
    path.write_text(cfg.pretty_text)
    return path


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain, trained without a stop."""
    work_dir = tmp_path_factory.mktemp("whole")
    call("train.py", config, "--work-dir", work_dir).succeeded()
    return work_dir


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to do things to."""
    return Path(shutil.copytree(whole, tmp_path / "done"))


def places(work_dir: Path) -> dict[str, Path]:
    return {f"{run}/{seed}": work_dir / run / f"seed_{seed}" for run in RUNS for seed in (0, 1)}


def checkpoints(work_dir: Path) -> dict[str, int]:
    files = sorted(work_dir.rglob("*.pth"))
    return {str(file.relative_to(work_dir)): file.stat().st_mtime_ns for file in files}


def train_until_killed(config: Path, work_dir: Path, steps: int) -> None:
    left = iter(range(steps))
    original: Callable[..., Any] = Distiller.train_step

    def step(*args: Any, **options: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    Distiller.train_step = step
    call("train.py", config, "--work-dir", work_dir)


def test_a_chain_killed_in_its_last_generation_ends_as_one_that_was_not(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    work_dir = tmp_path / "killed"
    of_a_run = EPOCHS * tiny_runs.STEPS
    # Two seeds of generations 0 and 1, one of generation 2, and half of the other.
    steps = 5 * of_a_run + tiny_runs.STEPS + 2
    code = tiny_runs.in_child(train_until_killed, config, work_dir, steps)
    assert code == -signal.SIGKILL
    unfinished = [
        name for name, at in places(work_dir).items() if not (at / "result.json").exists()
    ]
    assert unfinished == ["tsd_2/1"]
    before = checkpoints(work_dir)

    outcome = call("train.py", config, "--work-dir", work_dir, "--resume").succeeded()
    assert "5 of 6 runs are finished and unchanged" in outcome.err
    after = checkpoints(work_dir)
    assert {name for name in after if after[name] != before.get(name)} == {
        f"tsd_2/seed_1/epoch_{EPOCHS}.pth"
    }
    for name, at in places(work_dir).items():
        assert not tiny_runs.different(tiny_runs.state(places(whole)[name]), tiny_runs.state(at))


def test_a_finished_chain_is_not_run_again(config: Path, done: Path) -> None:
    before = checkpoints(done)
    outcome = call("train.py", config, "--work-dir", done).succeeded()
    assert "6 of 6 runs are finished and unchanged" in outcome.err
    assert checkpoints(done) == before


def test_a_further_generation_is_added_to_a_finished_chain(config: Path, done: Path) -> None:
    before = checkpoints(done)
    more = ("--cfg-options", "runs.tsd.students=3")
    outcome = call("train.py", config, "--work-dir", done, *more).succeeded()
    assert "6 of 8 runs are finished and unchanged" in outcome.err
    after = checkpoints(done)
    assert before.items() <= after.items()
    assert {Path(name).parts[0] for name in after.keys() - before.keys()} == {"tsd_3"}


@pytest.mark.parametrize(
    ("option", "lines", "run"),
    [
        ("runs.tsd.eta=0.8", ("'weight': 0.8", "'weight': 0.2"), "tsd_0 (seed 0)"),
        ("runs.tsd.lambda_=0.5", ("'weight': 0.5",), "tsd_1 (seed 0)"),
        ("runs.tsd.tolerance.k=4", ("'k': 4",), "tsd_0 (seed 0)"),
    ],
)
def test_a_changed_number_is_refused_with_the_difference(
    option: str, lines: tuple[str, ...], run: str, config: Path, done: Path
) -> None:
    before = contents(done)
    outcome = call("train.py", config, "--work-dir", done, "--cfg-options", option)
    outcome.refused(f"The run {run}", "another config", "--restart", *lines)
    assert contents(done) == before


def test_generations_do_differ(whole: Path) -> None:
    """Or the comparisons above would show nothing."""
    states = [tiny_runs.last(at)["state_dict"] for at in places(whole).values()]
    first = [state["student.backbone.stage1.conv.weight"] for state in states]
    assert len({tuple(one.flatten().tolist()) for one in first}) == len(first)


def test_a_student_is_measured_against_the_generation_before(whole: Path) -> None:
    for seed in (0, 1):
        files = [places(whole)[f"{run}/{seed}"] / "result.json" for run in RUNS]
        for before, after in itertools.pairwise(json.loads(file.read_text()) for file in files):
            measured = after["teacher"]["0"]["accuracy/top1"]
            assert measured == before["val"][-1]["accuracy/top1"]


def test_the_report_has_the_analyses_of_the_chain(whole: Path) -> None:
    page = (whole / "report.md").read_text()
    assert "## Generations, alone and together" in page
    assert "## Secondary information of generations" in page
    for name in ("generations", "secondary_information"):
        assert (whole / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (whole / f"{name}.csv").stat().st_size


def test_an_analysis_of_a_trained_chain(config: Path, whole: Path, tmp_path: Path) -> None:
    where = ("--work-dir", whole, "--output", tmp_path)
    outcome = call("analyze.py", "generations", config, *where, "--options", "split=val")
    assert "Generations, alone and together" in outcome.succeeded().out
    rows = (tmp_path / "generations.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == ["generations", "0", "1", "2", "0-1", "0-2"]
    wrong = ("--options", "baseline=tsd_9")
    call("analyze.py", "generations", config, *where, *wrong).refused("'tsd_9'", "tsd_0")
    wrong = ("--options", "superclasses=[0,1]")
    call("analyze.py", "secondary_information", config, *where, *wrong).refused("for 10 classes")
