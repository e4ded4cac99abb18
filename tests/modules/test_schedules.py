"""Weight schedules at their corners."""

from __future__ import annotations

import math

import pytest

from cls_kd.modules import (
    Constant,
    CosineDecay,
    EpochWarmup,
    GaussianRampUp,
    LinearWarmup,
    Schedule,
    Window,
    as_schedule,
)
from cls_kd.signals import TrainingTime


def at(schedule: Schedule, progress: float) -> float:
    return schedule(TrainingTime(step=round(progress * 1000), max_steps=1000))


def test_constant() -> None:
    assert [at(Constant(value=0.3), t) for t in (0.0, 0.5, 1.0)] == [0.3, 0.3, 0.3]


def test_linear_warmup() -> None:
    schedule = LinearWarmup(until=0.2, value=4.0)
    assert [at(schedule, t) for t in (0.0, 0.05, 0.1, 0.2, 1.0)] == pytest.approx([0, 1, 2, 4, 4])


@pytest.mark.parametrize(
    "schedule", [LinearWarmup(until=0.0), EpochWarmup(until=0.0), GaussianRampUp(until=0.0)]
)
def test_no_time_to_warm_up(schedule: Schedule) -> None:
    assert [at(schedule, t) for t in (0.0, 0.5)] == [1.0, 1.0]


def test_epoch_warmup_is_that_of_dkd_s_source() -> None:
    """megvii-research/mdistiller: min(epoch / 20, 1) in epoch 1 to 240, whatever the step."""
    schedule = EpochWarmup(until=20 / 240)
    for epoch in range(1, 241):
        expected = min(epoch / 20, 1.0)
        for step in (0.0, 0.5, 0.99):
            steps = round((epoch - 1 + step) * 100)
            time = TrainingTime(epoch - 1, max_epochs=240, step=steps, max_steps=24000)
            assert schedule(time) == pytest.approx(expected, abs=1e-12)
    short = TrainingTime(epoch=0, max_epochs=20)
    assert EpochWarmup(until=1 / 10, value=9.0)(short) == pytest.approx(4.5)
    assert EpochWarmup(until=20 / 240, value=9.0)(TrainingTime()) == 9.0, "no epochs to count"


def test_cosine_decay() -> None:
    schedule = CosineDecay(start=0.6, value=2.0)
    expected = [2, 2, 1 + math.cos(math.pi / 4), 1, 0]
    assert [at(schedule, t) for t in (0.0, 0.6, 0.7, 0.8, 1.0)] == pytest.approx(expected)
    assert at(CosineDecay(start=1.0), 1.0) == 1.0


def test_gaussian_ramp_up() -> None:
    schedule = GaussianRampUp(until=0.4, value=2.0)
    assert at(schedule, 0.0) == pytest.approx(2 * math.exp(-5))
    assert at(schedule, 0.2) == pytest.approx(2 * math.exp(-1.25))
    assert at(schedule, 0.4) == at(schedule, 0.9) == 2.0
    values = [at(schedule, t / 100) for t in range(101)]
    assert values == sorted(values)


def test_window() -> None:
    schedule = Window(start=0.25, end=0.5, value=3.0)
    assert [at(schedule, t) for t in (0.0, 0.25, 0.49, 0.5, 1.0)] == [0, 3, 3, 0, 0]
    assert at(Window(start=0.5), 1.0) == 1.0, "a window up to the end holds the end"
    assert at(Window(), 0.0) == 1.0


def test_as_schedule_takes_numbers_schedules_and_configs() -> None:
    assert at(as_schedule(2), 0.7) == 2.0
    window = Window()
    assert as_schedule(window) is window
    built = as_schedule(dict(type="LinearWarmup", until=0.5, value=2.0))
    assert at(built, 0.25) == 1.0
    assert at(as_schedule(dict(type=Window, end=0.1)), 0.2) == 0.0
