"""Jobs of Slurm: submitted once, followed, requeued, submitted again where they are lost."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.engine import slurm_executor
from cls_kd.engine.attempt import Outcome
from cls_kd.engine.event_log import EventLog
from cls_kd.engine.events import EpochFinished, RunEvent, RunFailed, RunSkipped
from cls_kd.engine.slurm_executor import JOB, SlurmExecutor, TrainJob
from cls_kd.errors import UserError
from cls_kd.runs import Run, mark_finished


class Cluster:
    """Stands for submitit and squeue: a job runs when the queue is looked at."""

    def __init__(self, behaviors: dict[str, list[str]]) -> None:
        self.behaviors = behaviors
        self.queue: dict[str, TrainJob] = {}
        self.parameters: list[dict[str, Any]] = []

    def update_parameters(self, **parameters: Any) -> None:
        self.parameters.append(parameters)

    def submit(self, job: TrainJob) -> Any:
        number = str(len(self.parameters))
        self.queue[number] = pickle.loads(pickle.dumps(job))
        return type("Job", (), {"job_id": number})

    def queued(self) -> set[str]:
        for number, job in list(self.queue.items()):
            needed = [need for run in job._runs for need in run.depends_on.values()]
            if any(need.result() is None for need in needed):
                continue
            del self.queue[number]
            for run in job._runs:
                behavior = self.behaviors.get(run.name, []) or ["finish"]
                getattr(self, f"_{behavior.pop(0)}")(run)
        return set(self.queue)

    def _finish(self, run: Run) -> None:
        EventLog(run)(EpochFinished.of(run, finished=1))
        mark_finished(run, {})

    def _fail(self, run: Run) -> None:
        EventLog(run)(RunFailed.of(run, error="UserError: no"))

    def _lose(self, run: Run) -> None:
        """The node is gone."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster({})
    monkeypatch.setattr(slurm_executor, "_submitit_executor", lambda *_: cluster)
    monkeypatch.setattr(slurm_executor, "queued_jobs", cluster.queued)
    monkeypatch.setattr(slurm_executor, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr("cls_kd.engine.run_graph.POLL_SECONDS", 0.0)
    return cluster


def pair(folder: Path) -> list[Run]:
    config = Config(dict(train_cfg=dict(max_epochs=1)))
    teacher = Run("teacher", 0, config, folder / "teacher")
    return [teacher, Run("kd", 0, config, folder / "kd", {"run:teacher": teacher})]


def execute(runs: list[Run], folder: Path) -> list[RunEvent]:
    heard: list[RunEvent] = []
    SlurmExecutor(folder, {}).execute(runs, on_event=heard.append)
    return heard


def test_a_job_waits_for_the_jobs_of_what_it_needs(cluster: Cluster, tmp_path: Path) -> None:
    cluster.behaviors["teacher"] = ["finish"]
    events = execute(pair(tmp_path), tmp_path)
    assert {event.name for event in events} == {"teacher", "kd"}
    dependencies = [parameters["slurm_dependency"] for parameters in cluster.parameters]
    assert dependencies[0] is None
    assert len(dependencies) == 2


def test_a_lost_job_is_submitted_again_but_not_for_ever(cluster: Cluster, tmp_path: Path) -> None:
    cluster.behaviors["teacher"] = ["lose", "finish"]
    execute(pair(tmp_path), tmp_path)
    assert (tmp_path / "kd" / "result.json").is_file()
    cluster.behaviors["teacher"] = ["lose"] * 5
    (tmp_path / "teacher" / "result.json").unlink()
    (tmp_path / "kd" / "result.json").unlink()
    events = execute(pair(tmp_path), tmp_path)
    reasons = [event.error for event in events if isinstance(event, RunFailed)]
    assert reasons == ["its job ended 3 times without a result"]
    assert [event.name for event in events if isinstance(event, RunSkipped)] == ["kd"]


def test_a_failed_run_is_not_submitted_again(cluster: Cluster, tmp_path: Path) -> None:
    cluster.behaviors["teacher"] = ["fail"]
    events = execute(pair(tmp_path)[:1], tmp_path)
    assert [type(event) for event in events] == [RunFailed]
    assert len(cluster.parameters) == 1


def test_a_second_command_follows_the_jobs_of_the_first(cluster: Cluster, tmp_path: Path) -> None:
    run = pair(tmp_path)[0]
    run.work_dir.mkdir()
    (run.work_dir / JOB).write_text(json.dumps({"job": "77", "submitted": time.time()}))
    cluster.queue["77"] = TrainJob([run], "none")
    looks: list[int] = []
    queued = cluster.queued

    def later() -> set[str]:
        looks.append(1)
        return queued() if len(looks) > 2 else set(cluster.queue)

    slurm_executor.queued_jobs = later  # type: ignore[assignment]
    execute([run], tmp_path)
    assert run.result() is not None
    assert cluster.parameters == [], "nothing was submitted"


def test_a_job_raises_where_its_run_fails_and_goes_on_where_it_is_requeued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [Outcome.HELD, Outcome.FINISHED, Outcome.FAILED]
    monkeypatch.setattr(
        slurm_executor, "attempt_together", lambda runs, launcher: [outcomes.pop(0) for _ in runs]
    )
    monkeypatch.setattr(slurm_executor, "_POLL_SECONDS", 0.0)
    job = TrainJob([pair(tmp_path)[0]], "none")
    job()
    with pytest.raises(UserError, match="teacher"):
        job()
    pytest.importorskip("submitit")
    assert job.checkpoint().function is job


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm_executor.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no sbatch"):
        SlurmExecutor(tmp_path, {})
    monkeypatch.setattr(slurm_executor.shutil, "which", lambda name: "/usr/bin/sbatch")
    with pytest.raises(UserError, match="timeout_min must be"):
        SlurmExecutor(tmp_path, {"timeout_min": 10})
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(UserError, match=r"cls_kd\[slurm\]"):
        SlurmExecutor(tmp_path, {})


def test_runs_that_are_trained_together_are_one_job(cluster: Cluster, tmp_path: Path) -> None:
    teacher, kd = pair(tmp_path)
    dkd = Run("dkd", 0, kd.cfg, tmp_path / "dkd", {"run:teacher": teacher})
    teacher.cfg = Config(dict(train_cfg=dict(max_epochs=2)))
    events: list[RunEvent] = []
    cluster.behaviors["dkd"] = ["lose"]
    executor = SlurmExecutor(tmp_path, {}, max_members=8)
    executor.execute([teacher, kd, dkd], on_event=events.append)
    names = [parameters["name"] for parameters in cluster.parameters]
    assert names == ["teacher-0", "kd-0-and-1-more", "dkd-0"]
    assert all(run.result() is not None for run in (teacher, kd, dkd))
