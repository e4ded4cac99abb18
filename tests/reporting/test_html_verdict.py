"""The verdict in words, from fabricated results."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.reporting import make_report
from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.verdict import over_pairs, sentences, verdict_of
from cls_kd.reporting.power import seeds_needed
from tests.reporting.fabricated import write_pair

CE = (80.0, 80.4, 79.9, 80.2)
KD = (83.0, 83.2, 83.1, 83.4)


def judged(root: Path, pair: str = "pair", **scores: tuple[float, ...]) -> Experiment:
    write_pair(root / pair, scores)
    return Experiment(pair, make_report(root / pair, baseline="ce"))


def said(experiment: Experiment) -> list[tuple[str, str]]:
    return sentences(verdict_of(experiment), experiment.report.collected.metric)


def test_better_worse_and_the_best(tmp_path: Path) -> None:
    bad = tuple(score - 2 - seed / 9 for seed, score in enumerate(CE))
    experiment = judged(tmp_path, ce=CE, kd=KD, at=bad)
    row = experiment.summary.set_index("run").loc["kd"]
    interval = f"+3.05 [{row['gain_low']:+.2f}, {row['gain_high']:+.2f}]"
    lines = said(experiment)
    assert lines[0] == ("better", f"Better than ce: kd ({interval}).")
    assert lines[1][0] == "worse"
    assert lines[1][1].startswith("Worse than ce: at (-2.17 [")
    assert lines[2] == ("best", "kd is the best: every other method is shown to be worse.")
    assert len(lines) == 3


def test_what_cannot_be_told_apart_and_the_seeds_that_would_tell(tmp_path: Path) -> None:
    dkd = (83.6, 82.9, 83.9, 83.1)
    experiment = judged(tmp_path, ce=CE, kd=KD, dkd=dkd)
    lines = dict(said(experiment))
    assert lines["best"] == "dkd has the highest mean. Not told apart from it: kd."
    difference = experiment.scores("kd") - experiment.scores("dkd")
    # Two methods are compared with dkd: the level is halved.
    needed = seeds_needed(difference.mean(), difference.std(), 0.025)
    assert lines["more"].startswith("kd against dkd: difference -0.20 [")
    assert lines["more"].endswith(
        f"about {needed - 4} more seeds ({needed} in all) would show a difference of this size "
        "with a probability of 80 %."
    )


def test_no_method_is_better(tmp_path: Path) -> None:
    noise = (80.5, 79.9, 80.7, 79.8)
    lines = said(judged(tmp_path, ce=CE, kd=noise))
    assert ("note", "No method is shown to be better than ce.") in lines
    assert ("unclear", "Not told apart from ce: kd.") in lines
    (more,) = (sentence for kind, sentence in lines if kind == "more")
    assert more.startswith("kd against ce: difference +0.10 [")


@pytest.mark.parametrize(
    ("ce", "kd", "sentence"),
    [
        (
            (80.0, 80.4),
            (83.0, 83.6),
            "kd has too few seeds for a verdict: 2 common seeds, at least 3 are needed "
            "(difference +3.10).",
        ),
        (
            (80.0, 80.4, 79.0),
            (81.0, 81.4, 80.0),
            "kd: all seeds differ by +1.00, so the noise is unknown.",
        ),
    ],
)
def test_no_verdict(
    tmp_path: Path, ce: tuple[float, ...], kd: tuple[float, ...], sentence: str
) -> None:
    assert ("unclear", sentence) in said(judged(tmp_path, ce=ce, kd=kd))


def test_methods_over_pairs(tmp_path: Path) -> None:
    noise = (80.5, 79.9, 80.7, 79.8)
    experiments = [
        judged(tmp_path, "a", ce=CE, kd=KD, at=noise),
        judged(tmp_path, "b", ce=CE, kd=noise),
    ]
    kd, at = over_pairs([verdict_of(experiment) for experiment in experiments])
    assert kd[:5] == ("kd", 2, 1, 1, 0)
    assert kd.gain == pytest.approx((3.05 + 0.1) / 2)
    assert at[:5] == ("at", 1, 0, 1, 0)
