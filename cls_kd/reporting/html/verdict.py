"""Verdicts: methods that gain, methods that are alike, and the seeds that would tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.metrics import Metric
from cls_kd.reporting.power import MAX_SEEDS, POWER, seeds_needed
from cls_kd.reporting.statistics import (
    CONFIDENCE,
    MIN_PAIRS,
    Gain,
    adjusted_by_name,
    paired_gain,
)


@dataclass(frozen=True)
class Judged:
    """A method against another one.

    Attributes:
        name: Of the method.
        gain: Over the other one; ``p_adjusted`` is adjusted for all methods judged together.
        seeds: Estimated number of common seeds that would show a difference of this size, see
            `seeds_needed`; None where it is too large, or no spread is known.
    """

    name: str
    gain: Gain
    seeds: int | None


@dataclass(frozen=True)
class Verdict:
    """Comparison of the runs of a pair.

    Attributes:
        pair: Name of the pair.
        baseline: The run that the others are compared with; None without one.
        against_baseline: Every other method against the baseline.
        best: The method with the highest mean; None where it is not known whether higher is
            better, or where there is only one method.
        against_best: Every other method against the best.
    """

    pair: str
    baseline: str | None
    against_baseline: tuple[Judged, ...]
    best: str | None
    against_best: tuple[Judged, ...]


def verdict_of(experiment: Experiment) -> Verdict:
    """Judge the methods of a pair."""
    scores = {name: experiment.scores(name) for name in experiment.compared}
    baseline = experiment.report.comparison.baseline
    known = baseline is not None and baseline in scores
    directed = experiment.report.collected.metric.percent and len(scores) > 1
    best = max(scores, key=lambda name: scores[name].mean()) if directed else None
    return Verdict(
        experiment.pair,
        baseline,
        judge(scores, baseline) if known and baseline else (),
        best,
        judge(scores, best) if best else (),
    )


def judge(scores: Mapping[str, pd.Series], base: str) -> tuple[Judged, ...]:
    """Every other method against ``base``, largest gain first.

    Args:
        scores: Of each method, indexed by seed.
        base: A key of ``scores``.
    """
    others = {name: values for name, values in scores.items() if name != base}
    gains = adjusted_by_name(
        {name: paired_gain(values, scores[base]) for name, values in others.items()}
    )
    judged = [
        Judged(name, gain, _seeds(others[name] - scores[base], gain, len(others)))
        for name, gain in gains.items()
    ]
    return tuple(sorted(judged, key=lambda entry: (-entry.gain.mean, entry.name)))


def _seeds(differences: pd.Series, gain: Gain, comparisons: int) -> int | None:
    """The level is divided by the number of comparisons, as Holm's first step does."""
    deviation = differences.std(ddof=1)
    if pd.isna(gain.p_value) or not deviation:
        return None
    return seeds_needed(gain.mean, deviation, (1 - CONFIDENCE) / comparisons)


def sentences(verdict: Verdict, metric: Metric) -> list[tuple[str, str]]:
    """The verdict in words.

    Returns:
        Pairs of a kind (``better``, ``worse``, ``unclear``, ``best``, ``note``, and ``more`` for
        what more seeds would tell) and a sentence.
    """
    lines: list[tuple[str, str]] = []
    groups: dict[str, list[Judged]] = {}
    for entry in verdict.against_baseline:
        groups.setdefault(_group(entry), []).append(entry)
    for kind in ("better", "worse"):
        if kind in groups:
            word = metric.worded(kind).capitalize()
            listed = ", ".join(f"{entry.name} ({_interval(entry.gain)})" for entry in groups[kind])
            lines.append((kind, f"{word} than {verdict.baseline}: {listed}."))
    if verdict.against_baseline and "better" not in groups and metric.percent:
        lines.append(("note", f"No method is shown to be better than {verdict.baseline}."))
    unclear = groups.get("unclear", [])
    if unclear:
        lines.append(("unclear", f"Not told apart from {verdict.baseline}: {_names(unclear)}."))
    lines += [("unclear", _unjudged(entry)) for entry in groups.get("unjudged", [])]
    more = [
        ("more", f"{entry.name} against {verdict.baseline}: {_more(entry)}.") for entry in unclear
    ]
    return lines + _on_best(verdict) + more + _more_on_best(verdict)


def _on_best(verdict: Verdict) -> list[tuple[str, str]]:
    if verdict.best is None:
        return []
    alike = [entry for entry in verdict.against_best if _group(entry) in ("unclear", "unjudged")]
    if not alike:
        return [("best", f"{verdict.best} is the best: every other method is shown to be worse.")]
    names = _names(alike)
    return [("best", f"{verdict.best} has the highest mean. Not told apart from it: {names}.")]


def _more_on_best(verdict: Verdict) -> list[tuple[str, str]]:
    """The baseline against the best is a comparison with the baseline, made already."""
    return [
        ("more", f"{entry.name} against {verdict.best}: {_more(entry)}.")
        for entry in verdict.against_best
        if _group(entry) == "unclear" and verdict.baseline not in (entry.name, verdict.best)
    ]


def _names(entries: Sequence[Judged]) -> str:
    return ", ".join(entry.name for entry in entries)


def _group(entry: Judged) -> str:
    verdict = entry.gain.verdict
    if verdict in ("better", "worse"):
        return verdict
    return "unclear" if verdict == "inside noise" else "unjudged"


def _more(entry: Judged) -> str:
    """The size of a difference, and the number of seeds that would show it."""
    difference = f"difference {_interval(entry.gain)}, {_p(entry.gain.p_adjusted)}"
    if entry.seeds is None:
        return f"{difference}; more than {MAX_SEEDS:,} seeds would be needed to show it"
    more = entry.seeds - entry.gain.pairs
    if more <= 0:
        return (
            f"{difference}; a difference of this size is usually shown by {entry.gain.pairs} "
            "seeds: more of them would tell"
        )
    return (
        f"{difference}; about {more:,} more seed{'s' if more > 1 else ''} "
        f"({entry.seeds:,} in all) would show a difference of this size with a probability of "
        f"{100 * POWER:.0f} %"
    )


def _unjudged(entry: Judged) -> str:
    gain = entry.gain
    if not gain.pairs:
        return f"{entry.name} has no seed in common with the baseline."
    if gain.pairs < MIN_PAIRS:
        common = f"{gain.pairs} common seed{'s' if gain.pairs > 1 else ''}"
        return (
            f"{entry.name} has too few seeds for a verdict: {common}, at least {MIN_PAIRS} are "
            f"needed (difference {gain.mean:+.2f})."
        )
    return f"{entry.name}: all seeds differ by {gain.mean:+.2f}, so the noise is unknown."


def _interval(gain: Gain) -> str:
    if pd.isna(gain.low):
        return f"{gain.mean:+.2f}"
    return f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"


def _p(value: float) -> str:
    return "adjusted p < 0.0001" if value < 1e-4 else f"adjusted p = {value:.4f}"


class OverPairs(NamedTuple):
    """A method over all pairs.

    Attributes:
        method: Its name.
        pairs: Number of pairs that have it.
        better: On how many of them it is better than the baseline.
        neither: On how many it is neither better nor worse, or not judged.
        worse: On how many it is worse.
        gain: Mean of the pairs' gains, each pair with the same weight; NaN without a gain.
    """

    method: str
    pairs: int
    better: int
    neither: int
    worse: int
    gain: float


def over_pairs(verdicts: Sequence[Verdict]) -> list[OverPairs]:
    """One row a method, those that are better on most pairs first, then by gain."""
    entries: dict[str, list[Judged]] = {}
    for verdict in verdicts:
        for entry in verdict.against_baseline:
            entries.setdefault(entry.name, []).append(entry)
    rows = [_over_pairs(name, judged) for name, judged in entries.items()]
    return sorted(rows, key=lambda row: (-row.better, row.worse, -row.gain, row.method))


def _over_pairs(name: str, judged: Sequence[Judged]) -> OverPairs:
    groups = [_group(entry) for entry in judged]
    better, worse = groups.count("better"), groups.count("worse")
    gains = [entry.gain.mean for entry in judged if entry.gain.pairs]
    mean = sum(gains) / len(gains) if gains else math.nan
    return OverPairs(name, len(judged), better, len(judged) - better - worse, worse, mean)
