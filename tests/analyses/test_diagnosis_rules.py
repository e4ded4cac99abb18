"""Every rule of a diagnosis, on synthetic measures: it fires beyond its threshold alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cls_kd.analyses.diagnosis import RULES, Finding, Measures, findings
from cls_kd.analyses.diagnosis import network_rules as networks
from cls_kd.analyses.diagnosis import objective_rules as objective
from cls_kd.analyses.diagnosis.diagnose import Diagnosis
from cls_kd.analyses.diagnosis.measures import (
    ClassFigures,
    Moment,
    NetworkFigures,
    SplitFigures,
    TeacherFacts,
    TermFacts,
    TermSize,
)
from cls_kd.analyses.diagnosis.page import TITLES, figures, markdown
from cls_kd.evaluation.temperatures import Confidence

COLOR = dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], to_rgb=True)
CLASSES = 20
EPSILON = 1e-6


def network(accuracy: float) -> NetworkFigures:
    return NetworkFigures(accuracy, [Confidence(4.0, 0.9, 0.4, 0.2, 0.1)])


def split(
    student: float, teacher: float | None, disagreements: tuple[int, ...] = (1,) * CLASSES
) -> SplitFigures:
    if teacher is None:
        return SplitFigures(1000, network(student))
    ordered = sorted(disagreements, reverse=True)
    classes = [
        ClassFigures(f"class {place}", 50, count, student, teacher)
        for place, count in enumerate(ordered)
    ]
    networks = network(student), network(teacher)
    return SplitFigures(1000, *networks, 90.0, classes)


def moment(name: str = "first", ce: float = 1.0, kd: float = 3.0, cosine: float = 0.5) -> Moment:
    terms = {
        "ce": TermSize(1.0, 0.1, ce, ce / 10),
        "kd": TermSize(2.0, 0.9, kd, kd / 10),
    }
    return Moment(name, terms, {"ce, kd": cosine}, {"ce, kd": cosine})


def measures(**changes: Any) -> Measures:
    """Of a healthy run."""
    healthy = Measures(
        run="kd (seed 0)",
        train=split(88.0, 95.0),
        test=split(75.0, 78.0),
        teacher=TeacherFacts("ResNet", [0.0] * 3, [1.0] * 3, COLOR, 78.0, COLOR),
        terms={
            "ce": TermFacts("TaskLoss", "task", "0.1"),
            "kd": TermFacts("KDLoss", "distillation", "0.9", 4.0, 0.4, True),
        },
        moments=[moment("first"), moment("last")],
        similarity=[[0.9, 0.5], [0.4, 0.8]],
        history=[
            {"epoch": 1, "loss": 9.0, "ce.loss": 1.0, "kd.loss": 8.0},
            {"epoch": 2, "loss": 3.0, "ce.loss": 0.5, "kd.loss": 2.5},
        ],
    )
    return replace(healthy, **changes)


def teacher(**changes: Any) -> TeacherFacts:
    healthy = measures().teacher
    assert healthy is not None
    return replace(healthy, **changes)


def terms(entropy: float) -> dict[str, TermFacts]:
    healthy = measures().terms
    return {**healthy, "kd": replace(healthy["kd"], teacher_entropy=entropy)}


def history(last: float) -> list[dict[str, float]]:
    return [{"epoch": 1, "ce.loss": 1.0}, {"epoch": 2, "ce.loss": last}]


def moments(**options: float) -> list[Moment]:
    return [moment("first", **options), moment("last", **options)]


def of_class(count: int) -> SplitFigures:
    """40 disagreements, ``count`` of them in two of 20 classes."""
    others = CLASSES - 2
    spread = [(40 - count) // others + (place < (40 - count) % others) for place in range(others)]
    return split(75.0, 78.0, (count - count // 2, count // 2, *spread))


NORMALIZED = dict(
    COLOR, mean=[value * (1 + networks.SAME_NUMBER - 0.01) for value in COLOR["mean"]]
)
CASES: list[tuple[str, Measures, Measures, str]] = [
    # Rule; just inside of the threshold; beyond it; a part of the text.
    (
        "teacher_normalization",
        measures(teacher=teacher(normalization=NORMALIZED)),
        measures(teacher=teacher(normalization=dict(COLOR, mean=[127.5] * 3, std=[127.5] * 3))),
        "mean 128, 128, 128, std 128, 128, 128; it was trained with mean 124, 116, 104, std",
    ),
    (
        "teacher_inputs",
        measures(teacher=teacher(mean=[networks.INPUT_MEAN, 0.0, 0.0])),
        measures(teacher=teacher(mean=[networks.INPUT_MEAN + 0.1, 0.0, 0.0])),
        "mean 1.1, 0, 0 and standard deviation 1, 1, 1",
    ),
    (
        "teacher_inputs",
        measures(teacher=teacher(deviation=[networks.INPUT_DEVIATIONS[0] + 0.01] * 3)),
        measures(teacher=teacher(deviation=[0.25] * 3)),
        "standard deviation 0.25, 0.25, 0.25",
    ),
    (
        "teacher_below_record",
        measures(teacher=teacher(recorded_accuracy=78.0 + networks.LOST_ACCURACY)),
        measures(teacher=teacher(recorded_accuracy=78.5 + networks.LOST_ACCURACY)),
        "right about 78.0 % of the test images as this run shows them to it; its own run recorded "
        "88.5 %",
    ),
    (
        "teacher_augmentation",
        measures(train=split(88.0, 78.0 - networks.LOST_ACCURACY)),
        measures(train=split(88.0, 77.0 - networks.LOST_ACCURACY)),
        "67.0 % of the augmented training images and 78.0 % of the test images",
    ),
    (
        "teacher_weaker",
        measures(test=split(78.0, 78.0)),
        measures(test=split(78.1, 78.0)),
        "The teacher (78.0 %) is weaker than the student (78.1 %) on the test split",
    ),
    (
        "underfits",
        measures(train=split(95.0 - networks.UNDERFIT_GAP, 95.0)),
        measures(train=split(94.0 - networks.UNDERFIT_GAP, 95.0)),
        "right about 79.0 % of its training images; its teacher, about 95.0 %",
    ),
    (
        "underfits",
        measures(train=split(networks.UNTAUGHT_ACCURACY, None), test=None, teacher=None),
        measures(train=split(networks.UNTAUGHT_ACCURACY - 1, None), test=None, teacher=None),
        "right about 59.0 % of its training images.",
    ),
    (
        "overfits",
        measures(train=split(75.0 + networks.OVERFIT_GAP, 95.0)),
        measures(train=split(75.1 + networks.OVERFIT_GAP, 95.0)),
        "loses 25.1 points from the training to the test split",
    ),
    (
        "disagreement_in_classes",
        measures(test=of_class(19)),
        measures(test=of_class(20)),
        "50 % of the 40 disagreements of student and teacher are in 2 of 20 classes: class 0 (10)",
    ),
    (
        "temperature_too_high",
        measures(terms=terms(objective.UNIFORM - EPSILON)),
        measures(terms=terms(objective.UNIFORM)),
        "kd: the temperature 4 is too high",
    ),
    (
        "teacher_overconfident",
        measures(terms=terms(objective.CERTAIN)),
        measures(terms=terms(objective.CERTAIN - EPSILON)),
        "kd: the teacher is overconfident. At temperature 4",
    ),
    (
        "term_dominates",
        measures(moments=moments(kd=objective.DOMINANCE - EPSILON, cosine=0.0)),
        measures(moments=moments(kd=objective.DOMINANCE, cosine=0.0)),
        "kd dwarfs the other terms: with the weight 0.9",
    ),
    (
        "no_gradient",
        measures(moments=[moment(kd=0.0), moment(kd=objective.NEGLIGIBLE * 1.01)]),
        measures(moments=[moment(kd=0.0), moment(kd=objective.NEGLIGIBLE * 0.99)]),
        "kd gives the student no gradient: at most 0.099 % of all terms' (weight 0.9)",
    ),
    (
        "opposed_terms",
        measures(moments=moments(cosine=objective.OPPOSED)),
        measures(moments=moments(cosine=objective.OPPOSED - 0.01)),
        "The terms ce, kd work against each other: the cosine of their gradients is -0.31",
    ),
    (
        "no_progress",
        measures(history=history(objective.STANDSTILL - EPSILON)),
        measures(history=history(objective.STANDSTILL)),
        "ce did not fall: 1 at the beginning, 0.98 at the end",
    ),
    (
        "unlike_features",
        measures(similarity=[[0.9, 0.5], [0.9, networks.UNLIKE]]),
        measures(similarity=[[0.9, 0.5], [0.9, networks.UNLIKE - 0.01]]),
        "have a CKA of 0.19",
    ),
]


def of_rule(name: str, observed: Measures) -> list[Finding]:
    return [item for item in findings(observed) if item.rule == name]


def test_a_healthy_run_has_no_finding() -> None:
    assert findings(measures()) == []


def test_every_rule_has_a_case() -> None:
    assert [rule.name for rule in RULES] == sorted(
        {name for name, *_ in CASES}, key=[rule.name for rule in RULES].index
    )


@pytest.mark.parametrize(
    ("name", "inside", "beyond", "text"), CASES, ids=[case[0] for case in CASES]
)
def test_a_rule_fires_beyond_its_threshold(
    name: str, inside: Measures, beyond: Measures, text: str
) -> None:
    assert of_rule(name, inside) == []
    (finding,) = of_rule(name, beyond)
    assert text in finding.text
    assert finding.advice.endswith(".")
    page = markdown(Diagnosis(beyond, [finding]))
    assert finding.text in page
    assert finding.summary in page
    assert finding.figure in TITLES


QUIET: list[tuple[str, Callable[[], Measures]]] = [
    # A gray teacher has no order of channels; without a record nothing is compared with it.
    (
        "teacher_normalization",
        lambda: measures(
            teacher=teacher(mean=[0.0], deviation=[1.0], normalization=dict(COLOR, to_rgb=False))
        ),
    ),
    ("teacher_normalization", lambda: measures(teacher=teacher(recorded_normalization=None))),
    ("teacher_below_record", lambda: measures(teacher=teacher(recorded_accuracy=None))),
    # Few disagreements are anywhere by chance.
    ("disagreement_in_classes", lambda: measures(test=split(75.0, 78.0, (19, *(0,) * 19)))),
    # A large gradient in the direction of the labels is what KD is for.
    ("term_dominates", lambda: measures(moments=moments(kd=50.0, cosine=objective.ALIGNED))),
    # So is one at the beginning alone, and a large one of the labels' term.
    ("term_dominates", lambda: measures(moments=[moment(kd=50.0, cosine=0.0), moment(cosine=0.0)])),
    ("term_dominates", lambda: measures(moments=moments(ce=50.0, cosine=0.0))),
    # A schedule that begins at 0.
    ("no_gradient", lambda: measures(moments=[moment(kd=0.0), moment()])),
    ("opposed_terms", lambda: measures(moments=[moment(cosine=-0.9), moment()])),
    ("opposed_terms", lambda: measures(moments=[])),
    ("no_progress", lambda: measures(history=history(2.0)[:1])),
]


@pytest.mark.parametrize(("name", "make"), QUIET, ids=[case[0] for case in QUIET])
def test_a_rule_is_silent_without_evidence(name: str, make: Callable[[], Measures]) -> None:
    assert of_rule(name, make()) == []


def test_a_gradient_without_any_other_is_told_in_words() -> None:
    (finding,) = of_rule("term_dominates", measures(moments=moments(ce=0.0, cosine=0.0)))
    assert "a large factor" in finding.advice
    assert "inf times" in finding.text


def test_figures_without_measures_are_left_out() -> None:
    bare = measures(
        train=split(88.0, None), test=None, teacher=None, similarity=None, history=[], terms={}
    )
    assert [figure.name for figure in figures(bare)] == ["accuracy", "confidence", "gradients"]
    assert findings(bare) == []
