"""The executor of sweeps on a cluster with Slurm, by submitit (an extra)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cls_kd.engine.attempt import Outcome
from cls_kd.engine.cohort_executor import attempt_together, group_to_train
from cls_kd.engine.compat import init_distributed
from cls_kd.engine.event_log import EventFollower, EventLog, last_failure, logged_events
from cls_kd.engine.events import EventConsumer, RunFailed
from cls_kd.engine.run_graph import RunGraph
from cls_kd.errors import PreemptedError, UserError
from cls_kd.files import write_atomically
from cls_kd.packages import require
from cls_kd.runs import Run, check_unchanged

JOB = "slurm_job.json"
"""File of a run's folder: its last job."""

ATTEMPTS = 3
"""Maximum number of jobs of a run that end without a result or a reason."""

MIN_TIMEOUT = 11
"""Minutes. With 10 or less submitit takes every signal for the end of the time."""

_POLL_SECONDS = 2.0
_REQUEUES = 10_000


class TrainJob:
    """Runs of a group as a job: all its state is on disk, so that a requeued job goes on exactly.

    Args:
        runs: What to train, together.
        launcher: ``'slurm'`` where the job has several tasks, else ``'none'``.
    """

    def __init__(self, runs: Sequence[Run], launcher: str) -> None:
        self._runs = list(runs)
        self._launcher = launcher

    def __call__(self) -> None:
        """Train; the job fails if a run does, so that what depends on it is not started.

        Raises:
            UserError: A run is not finished; why stands in its events.
        """
        init_distributed(self._launcher)
        try:
            self._train()
        except PreemptedError as error:
            # Only now is it submitit's turn, which ignores SIGTERM: then Slurm requeues by itself.
            os.kill(os.getpid(), error.signal)
            raise

    def _train(self) -> None:
        waiting, ended = list(self._runs), []
        while waiting:
            outcomes = list(
                zip(waiting, attempt_together(waiting, launcher=self._launcher), strict=True)
            )
            ended += [pair for pair in outcomes if pair[1] is not Outcome.HELD]
            waiting = [run for run, outcome in outcomes if outcome is Outcome.HELD]
            if waiting:
                time.sleep(_POLL_SECONDS)
        unfinished = [run.title for run, outcome in ended if outcome is not Outcome.FINISHED]
        if unfinished:
            raise UserError(f"The run {', '.join(unfinished)} has not been finished.")

    def checkpoint(self) -> Any:
        """The same job, which submitit requeues before the time is over, or at a preemption."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmExecutor:
    """Submits every run as a job, those that need others after these, and follows them.

    Runs that are trained together are one job.

    The command may be interrupted: the jobs stay, and the same command follows them. A job that is
    preempted, or reaches its time limit, is requeued and goes on from its last checkpoint; one
    that is lost is submitted again.

    Args:
        work_dir: Folder of the sweep, which all nodes see; submitit's files go to ``slurm`` in it.
        parameters: Of ``submitit.AutoExecutor.update_parameters``: ``timeout_min``,
            ``gpus_per_node``, ``tasks_per_node``, ``cpus_per_task``, ``slurm_partition``, ...
        max_members: Maximum number of runs that a job trains together.

    Raises:
        UserError: submitit or Slurm is not installed, or a parameter is wrong.
    """

    def __init__(self, work_dir: Path, parameters: Mapping[str, Any], max_members: int = 1) -> None:
        self._max_members = max_members
        tasks = parameters.get("tasks_per_node", 1) * parameters.get("nodes", 1)
        self._launcher = "slurm" if tasks > 1 else "none"
        self._executor = _submitit_executor(work_dir / "slurm", parameters)

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool = True,
        launcher: str = "none",
        on_event: EventConsumer,
    ) -> None:
        """Submit and follow every run that can be trained."""
        graph = RunGraph(runs)
        follower = EventFollower(runs, on_event)
        submitted: Counter[Path] = Counter()
        jobs: dict[Path, str] = {}
        for members in group_to_train(runs, True, self._max_members).groups:
            known = {run.work_dir: job for run in members if (job := _queued_job(run))}
            jobs |= known
            new = [run for run in members if run.work_dir not in known]
            if new:
                self._submit(new, jobs)
        while not graph.is_done:
            queue = queued_jobs()
            follower.poll()
            for run in graph.ready():
                if jobs[run.work_dir] not in queue:
                    graph.start(run)
                    outcome = _outcome(run) or self._submit_again(run, jobs, submitted)
                    graph.settle(run, outcome, on_event)
            if not graph.is_done:
                time.sleep(_POLL_SECONDS)
        follower.poll()

    def _submit_again(self, run: Run, jobs: dict[Path, str], submitted: Counter[Path]) -> Outcome:
        """A lost job is submitted again, unless that was done too often."""
        submitted[run.work_dir] += 1
        if submitted[run.work_dir] < ATTEMPTS:
            self._submit([run], jobs)
            return Outcome.HELD
        reason = f"its job ended {ATTEMPTS} times without a result"
        EventLog(run)(RunFailed.of(run, error=reason))
        return Outcome.FAILED

    def _submit(self, runs: Sequence[Run], jobs: dict[Path, str]) -> None:
        """Submit a job that trains the runs; it is noted in ``jobs`` and in their folders."""
        needed = {need.work_dir for run in runs for need in run.depends_on.values()}
        queue = queued_jobs()
        waiting_for = sorted({jobs[folder] for folder in needed if folder in jobs} & queue)
        dependency = "afterok:" + ":".join(waiting_for) if waiting_for else None
        more = f"-and-{len(runs) - 1}-more" if len(runs) > 1 else ""
        name = f"{runs[0].name or runs[0].work_dir.name}-{runs[0].seed}{more}"
        self._executor.update_parameters(name=name, slurm_dependency=dependency)
        job = str(self._executor.submit(TrainJob(runs, self._launcher)).job_id)
        for run in runs:
            jobs[run.work_dir] = job
            run.work_dir.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"job": job, "submitted": time.time()})
            write_atomically(run.work_dir / JOB, text)


def _queued_job(run: Run) -> str | None:
    """The job of a run that is still in the queue."""
    known = run.work_dir / JOB
    if not known.is_file():
        return None
    job = str(json.loads(known.read_text())["job"])
    return job if job in queued_jobs() else None


def queued_jobs() -> set[str]:
    """Numbers of the user's jobs that are pending, running or about to be requeued."""
    command = ["squeue", "--noheader", "--me", "--format=%A"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"squeue has failed: {done.stderr.strip()}")
    return set(done.stdout.split())


def _outcome(run: Run) -> Outcome | None:
    """Outcome of a job that has left the queue; None without a result or a reason."""
    if check_unchanged(run):
        return Outcome.FINISHED
    events = logged_events(run.work_dir)
    job = json.loads((run.work_dir / JOB).read_text())
    new = [event for event in events if event["time"] >= job["submitted"]]
    return None if last_failure(new) is None else Outcome.FAILED


def _submitit_executor(folder: Path, parameters: Mapping[str, Any]) -> Any:
    require("submitit", by="--executor slurm", install="'cls_kd[slurm]'")
    import submitit

    if shutil.which("sbatch") is None:
        raise UserError("--executor slurm: there is no sbatch on this machine.")
    timeout = parameters.get("timeout_min", 240)
    if not isinstance(timeout, int) or timeout < MIN_TIMEOUT:
        raise UserError(
            f"slurm: timeout_min must be a whole number from {MIN_TIMEOUT} on, not {timeout!r}: "
            "with less, a preempted job is taken for one that reached its time limit."
        )
    executor = submitit.AutoExecutor(
        folder / "%j", cluster="slurm", slurm_max_num_timeout=_REQUEUES
    )
    defaults = {
        "timeout_min": timeout,
        "slurm_signal_delay_s": 120,
        "stderr_to_stdout": True,
        # Without it the other processes of a run would wait for one that has ended.
        "slurm_srun_args": ["--kill-on-bad-exit=1"],
    }
    extra = {"kill-on-invalid-dep": "yes", **parameters.get("slurm_additional_parameters", {})}
    try:
        executor.update_parameters(
            **{**defaults, **parameters, "slurm_additional_parameters": extra}
        )
    except (NameError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"slurm: {error}") from error
    return executor
