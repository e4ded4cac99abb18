"""``cls-kd sweep`` and ``cls-kd status``, driven as a user does."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from rich.console import Console
from torch import Tensor, nn

from cls_kd.cli import sweep as sweep_command
from cls_kd.engine import latency, load_config
from cls_kd.engine.event_log import logged_events
from cls_kd.engine.events import EpochFinished, RunEvent, RunFailed
from cls_kd.engine.serial_executor import SerialExecutor
from cls_kd.engine.sweep_status import RunStatus
from cls_kd.engine.worker_executor import WorkerExecutor
from cls_kd.reporting.latency import Latency, read_latency
from cls_kd.runs import Run
from cls_kd.runs.sweep import Sweep, plan_sweep
from tests.reporting.fabricated import write_run
from tests.tools.driver import command

SHORT = ["--cfg-options", "train_cfg.max_epochs=2", "default_hooks.checkpoint.interval=1"]
OPTIONS = {"train_cfg.max_epochs": 2, "default_hooks.checkpoint.interval": 1}
WORDS = ["sweep", "--pairs", "digits/pair", "--work-dir", "out"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sweep of one pair, one method and one seed, which is finished."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setattr("cls_kd.engine.sweep.MEASURED_SECONDS", 0.0)
        planned = command(*WORDS, "--methods", "kd", "--dry-run", *SHORT).succeeded().out
        assert "3 runs, 0 finished; 3 to train: about 0:00:0" in planned
        assert not (folder / "out").exists()
        trained = command(*WORDS, "--methods", "kd", *SHORT).succeeded().out
        assert "out/pair/report.md" in trained
        yield folder


def starts(folder: Path) -> int:
    return sum(event["event"] == "RunStarted" for event in logged_events(folder))


def test_what_is_finished_is_not_trained_again(folder: Path) -> None:
    again = command(*WORDS, "--methods", "kd,nkd", *SHORT).succeeded().out
    assert "4 runs, 3 finished; 1 to train" in again
    assert starts(folder / "out/pair/teacher") == starts(folder / "out/pair/kd/seed_0") == 1
    assert "nkd" in (folder / "out/pair/report.md").read_text()
    status = command("status", "out").succeeded().out
    assert "4 finished, 0 running, 0 failed, 0 waiting" in status


def test_latency_is_measured_once_for_students_of_one_config(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []
    measure = latency.measure

    def counted(network: nn.Module, inputs: Tensor) -> Latency:
        measured.append(len(inputs))
        return measure(network, inputs, seconds=0.0)

    monkeypatch.setattr("cls_kd.engine.latency.measure", counted)
    runs = [folder / "out/pair" / name for name in ("kd/seed_0", "student/seed_0", "teacher")]
    results = [(run / "result.json").read_bytes() for run in runs]
    empty = folder / "nothing"
    empty.mkdir(exist_ok=True)
    problems = list(latency.measure_runs([*runs, empty], batch_size=4))
    assert [(problem[0], "holds no student" in problem[1]) for problem in problems] == [
        (empty, True)
    ]
    assert measured == [4, 4]
    kd, student, teacher = (read_latency(run) for run in runs)
    assert kd is not None
    assert kd == student != teacher
    assert 0 < kd.milliseconds < 1000
    assert kd.conditions.startswith("batch of 4, 1 thread, ")
    assert [(run / "result.json").read_bytes() for run in runs] == results


def test_teachers_are_references_of_the_report_by_any_name(tmp_path: Path) -> None:
    for pair, method, names in (("branches", "dml", []), ("teachers", "aver_mkd", [1, 2, 3])):
        plan = plan_sweep(Sweep((f"digits/{pair}",), {method: {}}), tmp_path, load_config)
        for run in plan[pair]:
            write_run(run.work_dir, run.name, run.seed, 80.0)
        sweep_command._report(plan, tmp_path, Console())
        table = pd.read_csv(tmp_path / pair / "report.csv")
        references = table.loc[table["verdict"] == "reference", "run"]
        assert references.tolist() == [f"teacher_{number}" for number in names]


def test_a_failed_run_does_not_end_the_sweep(folder: Path) -> None:
    file = folder / "sweep.py"
    broken = {"method": "kd", "model.losses.kd.weight": 1e38}
    file.write_text(
        f"sweep = dict(pairs=['digits/pair'], methods=dict(broken={broken}, at={{}}), "
        f"cfg_options={OPTIONS})\n"
    )
    outcome = command("sweep", file, "--work-dir", "out")
    assert outcome.code == 1
    assert "failed: pair/broken (seed 0): DivergedError" in outcome.out
    assert (folder / "out/pair/at/seed_0/result.json").is_file()
    status = command("status", "out")
    assert status.code == 1
    assert "1 failed" in status.out


def test_a_reason_is_shown_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "RuntimeError: [/gloo/pair.cc:545] Read error [127.0.0.1]"
    failures = {"pair/kd (seed 0)": reason}
    monkeypatch.setattr("cls_kd.cli.sweep.train_sweep", lambda *_: failures)
    monkeypatch.setattr("cls_kd.cli.sweep._report", lambda *_: None)
    outcome = command(*WORDS, "--methods", "kd", *SHORT)
    assert outcome.code == 1
    assert reason in outcome.out
    status = RunStatus("pair/kd (seed 0)", "failed", 0, 2, None, reason)
    monkeypatch.setattr("cls_kd.cli.status.sweep_status", lambda _: [status])
    assert reason in command("status", "out").out


def test_a_run_that_another_process_trains_is_left_to_it(folder: Path) -> None:
    plan = plan_sweep(
        Sweep.of(dict(pairs=["digits/pair"], methods=["kd"], cfg_options=OPTIONS)),
        folder / "out",
        load_config,
    )
    run = plan["pair"][-1]
    result = run.work_dir / "result.json"
    finished = result.read_text()
    result.unlink()
    lock = FileLock(run.work_dir / ".lock")
    lock.acquire()
    heard: list[RunEvent] = []
    thread = threading.Thread(target=lambda: SerialExecutor().execute([run], on_event=heard.append))
    before = starts(run.work_dir)
    thread.start()
    time.sleep(0.2)
    assert "1 running" in command("status", "out").out
    result.write_text(finished)
    lock.release()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert heard == []
    assert starts(run.work_dir) == before


def test_workers_give_the_same_results_and_one_may_be_killed(folder: Path) -> None:
    sweep = Sweep.of(dict(pairs=["digits/pair"], methods=["kd"], cfg_options=OPTIONS))
    runs = plan_sweep(sweep, folder / "workers", load_config)["pair"]
    killed: list[Path] = []

    def kill_once(event: RunEvent) -> None:
        assert not isinstance(event, RunFailed), event
        if isinstance(event, EpochFinished) and not killed:
            killed.append(event.work_dir)
            os.kill(logged_events(event.work_dir)[-1]["process"], signal.SIGKILL)

    WorkerExecutor(2, "fork").execute(quiet(runs), on_event=kill_once)
    assert killed
    for run in runs:
        expected = folder / "out" / run.work_dir.relative_to(folder / "workers") / "result.json"
        result = run.result()
        assert result is not None
        assert result["test"] == json.loads(expected.read_text())["test"]
        assert starts(run.work_dir) <= 2


def quiet(runs: list[Run]) -> list[Run]:
    for run in runs:
        run.cfg.console_log_level = "ERROR"
    return runs


def test_what_is_refused(folder: Path) -> None:
    command("sweep", "--pairs", "digits/pair").refused("--methods")
    command("sweep", "--pairs", "digits/pair", "--methods", "kdd").refused("'kd'")
    (folder / "empty").mkdir()
    command("status", folder / "empty").refused("not the folder of cls-kd sweep")
