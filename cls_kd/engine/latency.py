"""Measurement of the latency of trained students."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.device import get_device
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from cls_kd.engine.environment import environment
from cls_kd.engine.export import Student
from cls_kd.engine.student_source import open_student
from cls_kd.errors import UserError
from cls_kd.reporting.latency import Latency, write_latency

SECONDS = 0.5
"""Length of a measurement."""

THREADS = 1
"""CPU threads: a number that every machine has, so that results can be compared."""


def measure(network: nn.Module, inputs: Tensor, seconds: float = SECONDS) -> Latency:
    """Median time of a forward pass, after warm-up; the device is waited for.

    Args:
        network: In eval mode; it is moved to the device.
        inputs: A batch, (N, C, H, W).
        seconds: Length of the measurement.
    """
    device = get_device()
    network.to(device)
    facts = environment()
    with torch.inference_mode():
        timer = Timer(
            "network(inputs)",
            globals={"network": network, "inputs": inputs.to(device)},
            num_threads=THREADS,
        )
        times = timer.blocked_autorange(min_run_time=seconds)
    lower, upper = torch.tensor(times.times).quantile(torch.tensor([0.25, 0.75])).tolist()
    return Latency(
        milliseconds=float(f"{1e3 * times.median:.4g}"),
        quartiles=(float(f"{1e3 * lower:.4g}"), float(f"{1e3 * upper:.4g}")),
        batch_size=len(inputs),
        threads=THREADS,
        device=facts["processor"] if facts["device"] == "CPU" else facts["device"],
    )


def measure_runs(folders: Sequence[Path], batch_size: int = 1) -> Iterator[tuple[Path, str]]:
    """Measure the students of finished runs, and write ``latency.json`` beside their results.

    Students of one config are measured once: they differ in their weights alone.

    Args:
        folders: Of runs.
        batch_size: Images of a pass.

    Yields:
        Each folder whose student could not be measured, with the reason.
    """
    measured: dict[str, Latency] = {}
    for folder in folders:
        try:
            student = open_student(folder)
        except UserError as error:
            yield folder, str(error)
            continue
        key = _key(student)
        if key not in measured:
            measured[key] = measure(student.network, student.inputs(batch_size))
        write_latency(folder, measured[key])


def _key(student: Student) -> str:
    return json.dumps([student.config, student.shape], sort_keys=True, default=str)
