"""Rungs that fit into a budget, and what a comparison comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.engine.choosing.choose import best_of
from cls_kd.engine.choosing.outcome import Candidate, Chosen, Plan
from cls_kd.engine.choosing.rungs import MAX_SEEDS, Rung, cost, plan_rungs
from cls_kd.errors import UserError
from cls_kd.reporting.statistics import MIN_PAIRS

EIGHT = [10.0] * 8


def test_a_large_budget_gives_many_seeds_and_no_rung_repeats_what_is_trained() -> None:
    rungs = plan_rungs(EIGHT, 20, budget=1e6)
    assert rungs == [Rung(8, 5, 1), Rung(4, 20, 1), Rung(2, 20, MAX_SEEDS)]
    # A quarter of eight runs, the rest of four of them, nine further seeds of two.
    assert cost(rungs, EIGHT, 20) == pytest.approx(8 * 2.5 + 4 * 7.5 + 2 * 9 * 10)


@pytest.mark.parametrize("budget", [100.0, 130.0, 200.0, 1000.0])
def test_rungs_fit_into_the_budget_and_more_time_gives_more_seeds(budget: float) -> None:
    rungs = plan_rungs(EIGHT, 20, budget)
    assert cost(rungs, EIGHT, 20) <= budget
    assert rungs[-1].seeds >= MIN_PAIRS
    assert rungs[-1].seeds <= plan_rungs(EIGHT, 20, 2 * budget)[-1].seeds


def test_fewer_methods_come_far_where_the_budget_is_short() -> None:
    sixteen = [10.0] * 16
    assert plan_rungs(sixteen, 20, 1000.0)[-1].methods == 4
    assert plan_rungs(sixteen, 20, 150.0)[-1].methods == 2


def test_the_slowest_methods_are_expected_to_stay() -> None:
    rungs = [Rung(3, 5, 1), Rung(1, 20, 1)]
    assert cost(rungs, [1.0, 2.0, 4.0], 20) == pytest.approx(7.0 / 4 + 4.0 * 3 / 4)


def test_a_rung_ends_with_a_validation_and_two_methods_need_one_rung() -> None:
    assert plan_rungs(EIGHT, 20, 1e6, interval=2)[0].length == 4
    assert plan_rungs(EIGHT, 20, 1e6, interval=20)[0].length == 20
    assert plan_rungs([1.0, 1.0], 20, 1e6) == [Rung(2, 20, MAX_SEEDS)]


def test_a_budget_that_is_too_small_is_refused_with_what_is_needed() -> None:
    with pytest.raises(UserError, match=r"8 methods need about 0:01:30"):
        plan_rungs(EIGHT, 20, budget=10.0)
    with pytest.raises(UserError, match="nothing to choose from"):
        plan_rungs([1.0], 20, budget=10.0)


def test_the_best_are_those_with_the_highest_means() -> None:
    assert best_of({"a": [1.0, 2.0], "b": [3.0, 2.0], "c": [2.0, 2.0]}, 2) == ["b", "c"]


@pytest.fixture(scope="module")
def chosen() -> Chosen:
    plan = Plan(
        [], [Rung(4, 5, 1), Rung(3, 20, 4)], 20, dict.fromkeys(("a", "b", "c", "d"), 1800.0), {}
    )
    candidates = [
        Candidate("a", 2, (90.0, 91.0, 90.5, 91.5)),
        Candidate("b", 2, (89.9, 91.2, 90.1, 91.3)),
        Candidate("c", 2, (80.0, 81.2, 80.4, 81.3)),
        Candidate("d", 1, (50.0,)),
    ]
    return Chosen("digits/pair", Path("out"), plan, candidates, {"e": "it diverged"}, False)


def test_the_set_that_cannot_be_told_from_the_best(chosen: Chosen) -> None:
    assert chosen.undecided == ["a", "b"]
    close, far = chosen.rivals
    assert close.further_seeds is not None
    assert close.further_seeds > 4
    assert close.hours == pytest.approx(close.further_seeds * 1.0)
    assert far.further_seeds == 0
    assert far.behind.p_adjusted < 0.05


def test_the_summary_says_what_it_would_cost_to_tell(chosen: Chosen) -> None:
    verdict, price = chosen.summary()
    assert verdict == (
        "a has the highest validation score over 4 seeds, and cannot be told from b."
    )
    assert "To tell a from b would take about" in price
    assert "more seeds of each" in price
    page = chosen.markdown()
    assert "| e | it diverged |" in page
    assert page.index("| c |") < page.index("| d | 1 | 5 | 1 | 50.00 |")


def test_equal_scores_give_no_estimate(chosen: Chosen) -> None:
    equal = [Candidate(name, 2, (90.0, 91.0, 92.0)) for name in ("a", "b")]
    same = Chosen("c", Path("out"), chosen.plan, equal, {}, False)
    assert same.undecided == ["a", "b"]
    assert "more than 1000 seeds" in same.summary()[1]
