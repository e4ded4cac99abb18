"""Rules about the terms and their gradients. All thresholds are ours; see docs/diagnose.md."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cls_kd.analyses.diagnosis.measures import Measures, Moment
from cls_kd.analyses.diagnosis.registry import rule

UNIFORM = 0.99
"""Normalized entropy from which a teacher's distribution counts as uniform."""

CERTAIN = 0.01
"""Normalized entropy below which a teacher's distribution counts as one-hot."""

DOMINANCE = 10.0
"""Ratio of a term's gradient to the sum of all others' from which it dwarfs them."""

ALIGNED = 0.3
"""Cosine with another term from which a larger gradient is no harm: both ask for the same."""

NEGLIGIBLE = 0.001
"""Fraction of all terms' gradient norms below which a term does not train the student."""

OPPOSED = -0.3
"""Cosine below which two terms work against each other."""

STANDSTILL = 0.98
"""Fraction of its first epoch's value that a term still has where it made no progress."""


@rule("confidence")
def temperature_too_high(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher's distribution is nearly uniform at a loss's temperature."""
    for name, term in measures.terms.items():
        if term.teacher_entropy is not None and term.teacher_entropy >= UNIFORM:
            yield (
                f"{name}: the temperature {term.temperature:g} is too high. The teacher's "
                f"distribution is nearly uniform there (entropy {term.teacher_entropy:.4f} of its "
                "maximum): the loss hardly says which classes are alike, and compares the "
                "differences of all logits equally.",
                f"Lower model.losses.{name}.temperature: 4 is usual with few classes, 1 on "
                "ImageNet.",
            )


@rule("confidence")
def teacher_overconfident(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher's distribution is nearly one-hot at a loss's temperature."""
    for name, term in measures.terms.items():
        if term.teacher_entropy is not None and term.teacher_entropy < CERTAIN:
            yield (
                f"{name}: the teacher is overconfident. At temperature {term.temperature:g} its "
                f"distribution is nearly one-hot (entropy {term.teacher_entropy:.4f} of its "
                "maximum), and says little more than its top class.",
                f"Raise model.losses.{name}.temperature, or take a teacher that was trained with "
                "less confidence (earlier epoch, more augmentation).",
            )


@rule("gradients")
def term_dominates(measures: Measures) -> Iterator[tuple[str, str]]:
    """A distillation term's weighted gradient dwarfs all others', in another direction."""
    for name, term in measures.terms.items():
        ratios = [_ratio(moment, name) for moment in measures.moments]
        if term.group == "task" or len(measures.terms) < 2 or not ratios:
            continue
        if min(ratios) < DOMINANCE:
            continue
        if any(max(_cosines(moment, name), default=0) >= ALIGNED for moment in measures.moments):
            continue
        yield (
            f"{name} dwarfs the other terms: with the weight {term.weight} its gradient by the "
            f"student's parameters is {_range(ratios)} times as large as all others' together, and "
            "in another direction, so the other terms hardly train the student.",
            f"Divide model.losses.{name}.weight by about {_factor(ratios)}; published weights are "
            "for the networks and image sizes of their papers.",
        )


@rule("gradients")
def no_gradient(measures: Measures) -> Iterator[tuple[str, str]]:
    """A term does not train the student."""
    for name, term in measures.terms.items():
        shares = [_share(moment, name) for moment in measures.moments]
        if shares and max(shares) < NEGLIGIBLE:
            yield (
                f"{name} gives the student no gradient: at most {100 * max(shares):.2g} % of all "
                f"terms' (weight {term.weight}).",
                f"Raise model.losses.{name}.weight or remove the term. A schedule may keep it at 0 "
                "at the measured points alone.",
            )


@rule("gradients")
def opposed_terms(measures: Measures) -> Iterator[tuple[str, str]]:
    """Two terms pull the student's parameters in opposite directions."""
    known = [set(moment.cosines) for moment in measures.moments]
    for pair in sorted(set.intersection(*known)) if known else ():
        cosines = [moment.cosines[pair] for moment in measures.moments]
        if max(cosines) < OPPOSED:
            yield (
                f"The terms {pair} work against each other: the cosine of their gradients is "
                f"{min(cosines):.2f} to {max(cosines):.2f} over training.",
                "Check that the teacher is right about the training images; lower the weight of "
                "one, or let the distillation term end earlier by a schedule.",
            )


@rule("history")
def no_progress(measures: Measures) -> Iterator[tuple[str, str]]:
    """A term that does not look at the teacher did not fall over training."""
    if len(measures.history) < 2:
        return
    for name, term in measures.terms.items():
        weights = {moment.terms[name].weight for moment in measures.moments}
        before, after = (_logged(measures.history[index], name) for index in (0, -1))
        constant = len(weights) < 2 and not term.reads_teacher
        if constant and before > 0 and after >= STANDSTILL * before:
            yield (
                f"{name} did not fall: {before:.3g} at the beginning, {after:.3g} at the end.",
                "See whether another term dwarfs it; else raise the learning rate or train longer.",
            )


def _others(moment: Moment, name: str) -> float:
    return sum(size.at_parameters for term, size in moment.terms.items() if term != name)


def _ratio(moment: Moment, name: str) -> float:
    """A term's gradient norm over the sum of all others'."""
    size, others = moment.terms[name].at_parameters, _others(moment, name)
    if others:
        return size / others
    return math.inf if size else 0.0


def _share(moment: Moment, name: str) -> float:
    size = moment.terms[name].at_parameters
    total = size + _others(moment, name)
    return size / total if total else 0.0


def _cosines(moment: Moment, name: str) -> list[float]:
    return [value for pair, value in moment.cosines.items() if name in pair.split(", ")]


def _range(ratios: list[float]) -> str:
    low, high = (f"{value:,.0f}" for value in (min(ratios), max(ratios)))
    return low if low == high else f"{low} to {high}"


def _factor(ratios: list[float]) -> str:
    finite = sorted(value for value in ratios if math.isfinite(value))
    return f"{finite[len(finite) // 2]:,.0f}" if finite else "a large factor"


def _logged(entry: Mapping[str, Any], name: str) -> float:
    """A term in an entry of the history, summed over its parts."""
    return sum(
        value for key, value in entry.items() if key.startswith(f"{name}.") and "loss" in key
    )
