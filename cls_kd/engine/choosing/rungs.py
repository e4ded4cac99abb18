"""The rungs of successive halving: how many methods are trained how far, with how many seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cls_kd.engine.durations import duration_text
from cls_kd.errors import UserError
from cls_kd.reporting.statistics import MIN_PAIRS

MAX_SEEDS = 10
"""More are not planned, however large the budget. Ours."""

_FIRST_PART = 4
_FINALISTS = 2


@dataclass(frozen=True)
class Rung:
    """A stage of the comparison. What an earlier one has trained is continued, not repeated.

    Attributes:
        methods: How many are in it.
        length: Epochs (or iterations) of each run.
        seeds: How many of each method.
    """

    methods: int
    length: int
    seeds: int


def plan_rungs(
    seconds: Sequence[float], length: int, budget: float, interval: int = 1
) -> list[Rung]:
    """Rungs that fit into a budget.

    A quarter of the training with one seed for all; the whole of it for the better half; further
    seeds for the better half of these, as many as fit: `MIN_PAIRS` to `MAX_SEEDS`. Where even
    `MIN_PAIRS` do not fit, fewer methods come that far, two at least. Successive halving (Jamieson
    and Talwalkar 2016, arXiv:1502.07943), with seeds as a further resource; the numbers are ours.

    The cost is that of the slowest methods, as nobody knows yet which ones stay.

    Args:
        seconds: Of a whole run of each method.
        length: Epochs (or iterations) of a whole run.
        budget: Seconds.
        interval: Epochs (or iterations) between validations.

    Raises:
        UserError: There are fewer than two methods, or not even the smallest plan fits.
    """
    count = len(seconds)
    if count < _FINALISTS:
        raise UserError(f"There is nothing to choose from: {count} method can be trained.")
    for finalists in range(max(_FINALISTS, math.ceil(count / 4)), _FINALISTS - 1, -1):
        for seeds in range(MAX_SEEDS, MIN_PAIRS - 1, -1):
            rungs = _rungs(count, finalists, seeds, length, interval)
            if cost(rungs, seconds, length) <= budget:
                return rungs
    smallest = cost(_rungs(count, _FINALISTS, MIN_PAIRS, length, interval), seconds, length)
    needed = duration_text(math.ceil(smallest))
    raise UserError(
        f"The budget is too small: {count} methods need about {needed} of training. "
        "Name fewer --methods, shorten the training (--cfg-options train_cfg.max_epochs=...), or "
        "give more time."
    )


def cost(rungs: Sequence[Rung], seconds: Sequence[float], length: int) -> float:
    """Seconds that rungs take at most.

    Args:
        rungs: In order.
        seconds: Of a whole run of each method.
        length: Of a whole run.
    """
    slowest = sorted(seconds, reverse=True)
    total, trained = 0.0, 0.0
    for rung in rungs:
        amount = rung.seeds * rung.length / length
        total += (amount - trained) * sum(slowest[: rung.methods])
        trained = amount
    return total


def _rungs(count: int, finalists: int, seeds: int, length: int, interval: int) -> list[Rung]:
    """Without rungs that leave nobody out."""
    half = max(finalists, math.ceil(count / 2))
    first = min(length, max(interval, length // _FIRST_PART // interval * interval))
    rungs = [Rung(count, first, 1), Rung(half, length, 1), Rung(finalists, length, seeds)]
    return [
        rung
        for rung, after in zip(rungs, [*rungs[1:], None], strict=True)
        if after is None or after.methods < rung.methods
    ]
