"""Runs that are trained side by side in one process, batch by batch."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet
from mmengine.config import Config
from mmengine.dist import is_distributed
from torch.utils.data import DataLoader

from cls_kd.engine import compat
from cls_kd.engine.events import RunStopped
from cls_kd.engine.generators import GeneratorConflictError, Generators
from cls_kd.engine.preemption import STOP_REQUEST
from cls_kd.engine.shared_loader import MemberLoader
from cls_kd.engine.shared_parts import SharedParts
from cls_kd.errors import DivergedError, PreemptedError, UserError

_OF_ONE_MEMBER = (DivergedError, PreemptedError, UserError, RunStopped)
"""Errors that all processes of a distributed training have alike."""

Value = TypeVar("Value")

_TRAIN = "train_dataloader"


class Member:
    """One run of a cohort (see ``cls_kd.engine.surroundings.Surroundings``).

    Its training is a coroutine (of greenlet), which is paused before each batch. While it runs, the
    global random generators and MMEngine's current instances are its own.

    Args:
        cohort: The cohort.
        function: Trains the run.

    Attributes:
        value: What the function has returned.
        error: What it has raised.
        conflict: Why the run has to be trained alone; empty otherwise.
        log_dir: Folder of its log; None before there is one.
    """

    def __init__(self, cohort: Cohort, function: Callable[[Member], Any]) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.conflict = ""
        self.log_dir: Path | None = None
        self._cohort = cohort
        self._function = function
        self._coroutine = greenlet(self._call, getcurrent())
        self._coroutine.gr_context = contextvars.copy_context()
        self._states = cohort.generators.get()
        self._instances = compat.current_instances()
        self._loader: MemberLoader | None = None
        self._seconds = 0.0
        self._turn = time.perf_counter()

    @property
    def is_done(self) -> bool:
        """True if the function has returned or raised."""
        return self._coroutine.dead

    def advance(self, error: BaseException | None = None) -> None:
        """Train until the next batch is needed, or the end.

        Args:
            error: Is raised where the training was paused.
        """
        self._cohort.generators.get()
        self._cohort.generators.set(self._states)
        compat.make_current(self._instances)
        self._turn = time.perf_counter()
        if error is None:
            self._coroutine.switch()
        elif self._coroutine:
            self._coroutine.throw(error)
        else:
            self.error = error
            self._coroutine.throw()
        self._seconds += time.perf_counter() - self._turn
        self._states = self._cohort.generators.get()
        self._instances = compat.current_instances()

    def build_loader(self, cfg: Config, key: str) -> DataLoader:
        """See ``Surroundings.build_loader``."""
        shared = self.share(lambda: self._cohort.parts.loader(cfg, key))
        if key != _TRAIN:
            return shared.loader
        self._loader = MemberLoader(shared, self)
        return self._loader  # type: ignore[return-value]

    def enter(self, cfg: Config, distiller: Any) -> None:
        """See ``Surroundings.enter``."""
        parts = self._cohort.parts
        preprocessor, loader = distiller.data_preprocessor, self._loader
        original = preprocessor.forward

        def forward(data: Any, training: bool = False) -> Any:
            batch = None if loader is None else loader.batch
            if loader is None or batch is None or data is not loader.delivered:
                return original(data, training)
            return self.share(lambda: batch.prepared(lambda: original(data, training)))

        # A function, which a copy of the model (of an EMA) shares.
        preprocessor.forward = forward
        distiller.replace_teachers(
            lambda index, _, names: parts.teacher(
                cfg, distiller, index, names, self._cohort.sharing
            )
        )

    def prepare(self, runner: Any) -> None:
        """See ``Surroundings.prepare``."""
        self.log_dir = Path(runner.log_dir)
        self._cohort.parts.share_measurements(runner)

    def seconds(self) -> float:
        """Seconds of the run's own parts, and an equal part of what is shared."""
        return self._seconds + time.perf_counter() - self._turn

    def pause(self) -> None:
        """Return when all members ask for the next batch."""
        self._cohort.wait()

    def share(self, call: Callable[[], Value]) -> Value:
        """The value of a call that all members make.

        Raises:
            RunStopped: The run has to be trained alone.
        """
        try:
            with self._cohort.sharing():
                return call()
        except GeneratorConflictError as error:
            self.conflict = f"its steps draw from {error}, and so do the data"
            raise RunStopped(f"It is to be trained alone: {self.conflict}.") from error

    def charge(self, seconds: float) -> None:
        """Count seconds of something shared, or, below 0, not count what was spent on it."""
        self._seconds += seconds

    def _call(self) -> None:
        try:
            self.value = self._function(self)
        except BaseException as error:
            self.error = error


class Cohort:
    """Runs that are trained side by side: one loader, one pass of each teacher for a batch.

    Each run ends as it would alone, to the last bit on the CPU. A run that fails, stops or ends
    leaves the others untouched.
    """

    def __init__(self) -> None:
        self.generators = Generators()
        self.parts = SharedParts(self.generators)
        self._main = getcurrent()
        self._members: list[Member] = []
        self._running: Member | None = None
        self._is_sharing = False

    def train(self, functions: Sequence[Callable[[Member], Any]]) -> list[Member]:
        """Call each function, in turn batch by batch.

        Args:
            functions: Each trains a run in the surroundings that it is given.

        Returns:
            The members, each with its value or error.

        Raises:
            KeyboardInterrupt: Or any other interruption of the process, after all were stopped.
        """
        self._members = [Member(self, function) for function in functions]
        members = list(self._members)
        try:
            while self._members:
                STOP_REQUEST.hold()
                for member in list(self._members):
                    self._advance(member)
        except BaseException as error:
            for member in self._members:
                self._running = member
                member.advance(error)
            raise
        finally:
            STOP_REQUEST.release()
        return members

    def wait(self) -> None:
        """Called by a member: return when all members ask for the next batch."""
        self._main.switch()

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Count the time of what is inside for all members, in equal parts."""
        if self._is_sharing:  # inside of something shared
            yield
            return
        self._is_sharing = True
        started = time.perf_counter()
        try:
            yield
        finally:
            self._is_sharing = False
            seconds = time.perf_counter() - started
            assert self._running is not None
            self._running.charge(-seconds)
            for member in self._members:
                member.charge(seconds / len(self._members))

    def _advance(self, member: Member) -> None:
        self._running = member
        member.advance()
        if not member.is_done:
            return
        self._members.remove(member)
        error = member.error
        if error is not None and (
            not isinstance(error, Exception)
            # What one process alone meets would leave it waiting for the others.
            or (is_distributed() and not isinstance(error, _OF_ONE_MEMBER))
        ):
            raise error
