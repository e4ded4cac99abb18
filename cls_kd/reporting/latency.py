"""Latency of a run's student, in a file beside its result.

It is no part of ``result.json``: it belongs to the machine that measured it, and two executors that
train the same run leave the same result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cls_kd.errors import UserError
from cls_kd.files import write_atomically

FILE = "latency.json"


@dataclass(frozen=True)
class Latency:
    """Time of a forward pass of a student.

    Attributes:
        milliseconds: Median over repeated passes.
        quartiles: Of the passes, in milliseconds.
        batch_size: Images of a pass.
        threads: CPU threads.
        device: What it was measured on.
    """

    milliseconds: float
    quartiles: tuple[float, float]
    batch_size: int
    threads: int
    device: str

    @property
    def conditions(self) -> str:
        """Batch size, threads and device, in words."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"batch of {self.batch_size}, {threads}, {self.device}"


def write_latency(folder: Path, latency: Latency) -> None:
    """Write the latency of the run in a folder."""
    write_atomically(folder / FILE, json.dumps(asdict(latency), indent=1))


def read_latency(folder: Path) -> Latency | None:
    """The latency of the run in a folder; None where it was not measured.

    Raises:
        UserError: The file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Latency(**{**values, "quartiles": tuple(values["quartiles"])})
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error}): remove it, and measure again.") from error


def conditions_of(latencies: Iterable[Latency]) -> str:
    """The conditions that all have in common, in words."""
    conditions = {latency.conditions for latency in latencies}
    return conditions.pop() if len(conditions) == 1 else "measured under different conditions"
