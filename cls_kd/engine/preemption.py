"""Requests to end this process, which a training answers with a checkpoint at its next step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from mmengine.dist import is_distributed
from torch import distributed

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Slurm sends SIGTERM before it takes a machine back; its ``--signal`` chooses another."""


class StopRequest:
    """The signal, if any, that this process was asked to end by."""

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._shown: signal.Signals | None = None
        self._is_held = False
        self._depth = 0
        self._process = os.getpid()
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def received(self) -> signal.Signals | None:
        """The signal; while requests are held, that before ``hold`` was called last."""
        return self._shown if self._is_held else self._received

    def hold(self) -> None:
        """Show until the next call, or ``release``, what was received before.

        Runs that are trained side by side then end after the same step.
        """
        self._shown, self._is_held = self._received, True

    def release(self) -> None:
        """Show at once what is received."""
        self._is_held = False

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Note the signals inside, in place of ending the process; afterwards all is as before.

        May be entered several times at once, as by runs that are trained side by side. Python
        delivers signals to the main thread alone: elsewhere nothing is done.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if self._depth == 0:
            self._process = os.getpid()
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._received = None
                for number, handler in self._previous.items():
                    signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a loader's worker, forked meanwhile
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._received is None:
            self._received = signal.Signals(number)


STOP_REQUEST = StopRequest()
"""That of this process: signals belong to a process, not to a run."""


class Agreement:
    """Exchange between the processes of a distributed training, one step behind.

    The flag travels beside the step, in a group of its own on the CPU: nobody waits for a device.
    """

    def __init__(self) -> None:
        self._group: Any = distributed.new_group(backend="gloo") if is_distributed() else None
        self._flag = torch.zeros((), dtype=torch.int32)
        self._work: Any = None

    def reached(self, value: int) -> int:
        """The largest value of all processes; distributed, that of the step before.

        Args:
            value: This process's own. All processes must call this equally often.
        """
        if self._group is None:
            return value
        known = self.finish()
        self._flag.fill_(max(value, known))
        self._work = distributed.all_reduce(
            self._flag, distributed.ReduceOp.MAX, group=self._group, async_op=True
        )
        return known

    def finish(self) -> int:
        """Wait for what is under way, and give its value."""
        if self._work is not None:
            self._work.wait()
            self._work = None
        return int(self._flag)
