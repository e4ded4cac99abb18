"""The executor of sweeps in several processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path

import torch

from cls_kd.engine.attempt import Outcome
from cls_kd.engine.cohort_executor import GroupAttempt, attempt_together, group_to_train
from cls_kd.engine.event_log import EventFollower, EventLog
from cls_kd.engine.events import EventConsumer, RunFailed
from cls_kd.engine.run_graph import POLL_SECONDS, RunGraph
from cls_kd.runs import Run

ATTEMPTS = 3
"""Maximum number of workers of a run that are killed."""


class WorkerExecutor:
    """Trains runs in worker processes, each with a part of the CPU threads and a GPU.

    See ``cls_kd.engine.execute.Executor``. A worker that is killed costs its run less than the
    time between two checkpoints: another one goes on with it.

    Args:
        jobs: Number of workers.
        start_method: How Python starts them. ``fork`` starts faster, and must not be used where
            this process has threads or a GPU.
        trained_by: Attempts the runs of a group in a worker, which gets it pickled.
        max_members: Maximum number of runs that a worker trains together.
    """

    def __init__(
        self,
        jobs: int,
        start_method: str = "spawn",
        trained_by: GroupAttempt = attempt_together,
        max_members: int = 1,
    ) -> None:
        self._attempt = trained_by
        self._max_members = max_members
        self._jobs = jobs
        self._context = multiprocessing.get_context(start_method)

    def execute(
        self,
        runs: Sequence[Run],
        *,
        resume: str | bool = True,
        launcher: str = "none",
        on_event: EventConsumer,
    ) -> None:
        """Train every run that can be trained; each goes on from its last checkpoint."""
        groups = group_to_train(runs, True, self._max_members).groups
        graph = RunGraph(runs, groups)
        follower = EventFollower(runs, on_event)
        killed: Counter[Path] = Counter()
        with _slots(self._jobs, self._context, self._attempt) as slots:
            while not graph.is_done:
                _fill(slots, graph.ready_groups(), graph)
                busy = [slot.future for slot in slots if slot.future is not None]
                if busy:
                    wait(busy, POLL_SECONDS, FIRST_COMPLETED)
                else:
                    time.sleep(POLL_SECONDS)
                follower.poll()
                for slot in slots:
                    _collect(slot, graph, killed, on_event)


class _Slot:
    """A place for one worker process at a time.

    Args:
        number: Decides about its GPU.
        threads: CPU threads of its workers.
        context: How they are started.
        trained_by: Attempts the runs of a group.
    """

    def __init__(
        self, number: int, threads: int, context: BaseContext, trained_by: GroupAttempt
    ) -> None:
        self._attempt = trained_by
        self._arguments = (number, threads)
        self._context = context
        self._workers = self._new_worker()
        self.runs: Sequence[Run] = ()
        self.future: Future[list[Outcome]] | None = None

    def begin(self, runs: Sequence[Run]) -> None:
        """Let the worker attempt the runs of a group."""
        self.runs, self.future = runs, self._workers.submit(self._attempt, runs)

    def end(self) -> tuple[Sequence[Run], list[Outcome] | None]:
        """The attempted runs and how that ended; None where the worker was killed."""
        assert self.future is not None
        runs, future = self.runs, self.future
        self.runs, self.future = (), None
        try:
            return runs, future.result()
        except BrokenProcessPool:
            self.close()
            self._workers = self._new_worker()
            return runs, None

    def close(self) -> None:
        """Wait until the worker has ended."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _new_worker(self) -> ProcessPoolExecutor:
        # One pool a slot: in a pool of several, one killed worker takes the others with it.
        return ProcessPoolExecutor(1, self._context, prepare_worker, self._arguments)


@contextmanager
def _slots(jobs: int, context: BaseContext, trained_by: GroupAttempt) -> Iterator[list[_Slot]]:
    threads = threads_each(jobs)
    slots = [_Slot(number, threads, context, trained_by) for number in range(jobs)]
    try:
        yield slots
    finally:
        for slot in slots:
            slot.close()


def _fill(slots: Sequence[_Slot], ready: Sequence[Sequence[Run]], graph: RunGraph) -> None:
    free = [slot for slot in slots if slot.future is None]
    for slot, runs in zip(free, ready, strict=False):
        graph.start(*runs)
        slot.begin(runs)


def _collect(slot: _Slot, graph: RunGraph, killed: Counter[Path], on_event: EventConsumer) -> None:
    """Take the outcomes of a slot whose attempt has ended."""
    if slot.future is None or not slot.future.done():
        return
    runs, outcomes = slot.end()
    if outcomes is not None:
        for run, outcome in zip(runs, outcomes, strict=True):
            graph.settle(run, outcome, on_event)
        return
    for run in runs:
        killed[run.work_dir] += 1
        if killed[run.work_dir] < ATTEMPTS:
            graph.put_back(run)
            continue
        EventLog(run)(RunFailed.of(run, error=f"its worker process was killed {ATTEMPTS} times"))
        graph.fail(run, on_event)


def threads_each(jobs: int) -> int:
    """CPU threads of each of several workers."""
    return max(1, (os.cpu_count() or 1) // jobs)


def prepare_worker(number: int, threads: int) -> None:
    """In a new worker: its part of the machine, and an end with the process that started it.

    Args:
        number: Of the worker; decides about its GPU.
        threads: CPU threads of the worker.
    """
    devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    devices = devices or [str(index) for index in range(torch.cuda.device_count())]
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]
    torch.set_num_threads(threads)
    multiprocessing.set_start_method(None, force=True)  # runs choose it, not their worker
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
