"""``cls-kd tune`` and ``cls-kd choose``, driven as a user does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from cls_kd.engine.tuning.study import open_study
from tests.tools.driver import Outcome, command, contents

SHORT = [
    *("--cfg-options", "train_cfg.max_epochs=3", "train_dataloader.dataset.times=5"),
    *("param_scheduler.0.T_max=3", "runs.teacher.train_cfg.max_epochs=1"),
]
TUNE = ["tune", "digits/pair", "--method", "at", "--seeds", "0", "--work-dir", "at"]
FEW = [word.replace("times=5", "times=1") for word in SHORT]
CHOOSE = ["choose", "digits/pair", "--methods", "kd,at,manifold", "--work-dir", "best"]


def tune(trials: int) -> Outcome:
    return command(*TUNE, "--trials", trials, *SHORT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished search of two trials."""
    folder = tmp_path_factory.mktemp("tune")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        out = tune(3).succeeded().out
        assert "trial 0: at.p=2, at.weight=1000 (default): validation" in out
        assert "on the test split with 3 new seeds" in out
        yield folder


def results(folder: Path) -> dict[str, dict]:
    files = folder.rglob("result.json")
    return {str(file.parent.relative_to(folder)): json.loads(file.read_text()) for file in files}


def test_the_result_says_what_was_searched_and_what_it_cost(folder: Path) -> None:
    facts = json.loads((folder / "at" / "tune.json").read_text())
    assert facts["spaces"] == {
        "at.p": "1 to 4, whole",
        "at.weight": "10 to 10000, logarithmic",
    }
    assert facts["default"]["setting"] == {"at.p": 2, "at.weight": 1000.0}
    assert facts["best"]["value"] > facts["default"]["value"]
    assert facts["validation_gain"]["mean"] == facts["best"]["value"] - facts["default"]["value"]
    assert set(facts["tests"]["best"]) == set(facts["tests"]["default"]) == {"1", "2", "3"}
    differences = [facts["tests"]["best"][s] - facts["tests"]["default"][s] for s in "123"]
    assert facts["test_gain"]["mean"] == pytest.approx(sum(differences) / 3)
    assert facts["search_seconds"] > 0
    page = (folder / "at" / "tune.md").read_text()
    assert "| test | 1, 2, 3 |" in page
    assert "Cost: 0:00:" in page


def test_the_test_split_is_measured_after_the_search_alone(folder: Path) -> None:
    measured = {name for name, result in results(folder / "at").items() if result["test"]}
    facts = json.loads((folder / "at" / "tune.json").read_text())
    assert len(measured) == 6
    assert all(name.startswith("test/") for name in measured)
    tested = results(folder / "at" / "test" / "default").values()
    assert {str(result["seed"]): result["test"]["accuracy/top1"] for result in tested} == (
        facts["tests"]["default"]
    )


def test_the_same_command_trains_nothing_again(folder: Path) -> None:
    before = contents(folder / "at")
    tune(3).succeeded()
    after = contents(folder / "at")
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed <= {"study.journal", "tune.json"}


def test_a_search_that_was_cut_off_goes_on(folder: Path) -> None:
    study = open_study(folder / "at")
    study.enqueue_trial({"at.p": 1, "at.weight": 20.0})
    study.ask({name: value for name, value in study.trials[1].distributions.items()})
    out = tune(4).succeeded().out
    assert "trial 4: at.p=1, at.weight=20:" in out
    assert "of 4 settings" in out


def test_what_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileLock(folder / "at" / ".tune.lock"):
        tune(3).refused("Another process", "--jobs")
    command(*TUNE, *SHORT, "model.losses.at.weight=5").refused("another config")
    command("tune", "digits/pair", "--method", "ce").refused("nothing to tune")
    command("tune", "digits/pair", "--method", "kd", "--budget", "30").refused("30m")
    monkeypatch.setitem(sys.modules, "optuna", None)
    command("tune", "digits/pair", "--method", "kd").refused("pip install 'cls_kd[tune]'")
    assert not (folder / "work_dirs").exists()


def test_methods_are_compared_until_the_best_are_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cls_kd.engine.choosing.choose.MEASURED_SECONDS", 0.0)
    monkeypatch.setattr("cls_kd.engine.choosing.rungs.MAX_SEEDS", 3)
    command(*CHOOSE, "--budget", "0.01s", *FEW).refused("budget is too small", "0:0")
    assert not (folder / "best").exists()
    out = command(*CHOOSE, "--budget", "1h", *FEW).succeeded().out
    assert "Rung 1 of 2: 3 methods up to 1 of 3, 1 seed." in out
    assert "left out: manifold:" in out
    facts = json.loads((folder / "best" / "choose.json").read_text())
    assert [len(item["scores"]) for item in facts["candidates"]].count(3) == 2
    assert facts["undecided"]
    runs = results(folder / "best")
    assert all(result["test"] is None for result in runs.values())
    before = contents(folder / "best")
    command(*CHOOSE, "--budget", "1h", *FEW).succeeded()
    assert contents(folder / "best") == before
