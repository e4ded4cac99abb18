"""Chains of generations: accuracy and calibration, alone and as ensembles."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cls_kd.analyses.chains import chains_of, outputs_of
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.analyses.generation_scores import (
    compared_scores,
    draw_lines,
    mean_scores,
    note_on_gains,
    scores_of_all,
    seed_count,
)
from cls_kd.evaluation import calibration
from cls_kd.evaluation.ensembles import accuracy, prefix_ensembles
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section


@ANALYSES.register_module()
def generations(runs: Sequence[FinishedRun], *, baseline: str, split: Split = "test") -> Section:
    """Accuracy of each generation, and of each chain's first generations together.

    A chain is a run that taught none of the others, its teacher, the teacher's teacher, and so on.

    Args:
        runs: The finished runs; earlier generations are found through them.
        baseline: The run that all are compared with, seed by seed: the patriarch of a strict chain.
        split: The split.

    Returns:
        One row for each network and each ensemble (mean probabilities of generations 0 to m):
        accuracy in percent with its standard deviation over seeds, and the gain in percentage
        points with its 95 % t interval.

    Raises:
        UserError: There is no run of the baseline's name.
    """
    scores = scores_of_all(runs, lambda line: _together(line, split, _accuracy))
    table = compared_scores(scores, baseline).reset_index()
    notes = [
        f"Measured on the {split} split: mean and standard deviation over {seed_count(scores)}. "
        "0-m is the ensemble of generations 0 to m: the mean of their probabilities.",
        note_on_gains(baseline),
        *_of_seeds(runs, baseline, split),
    ]
    return Section(
        "generations",
        "Generations, alone and together",
        table,
        notes,
        lambda canvas: _draw_accuracy(canvas, scores, split),
    )


@ANALYSES.register_module()
def generation_calibration(runs: Sequence[FinishedRun], *, split: Split = "test") -> Section:
    """Calibration of the probabilities of generations and of their ensembles.

    Args:
        runs: As in ``generations``.
        split: The split.

    Returns:
        One row for each network and each ensemble, means over seeds, of the measures in
        ``cls_kd.evaluation.calibration``.
    """
    scores = scores_of_all(runs, lambda line: _together(line, split, _calibration))
    notes = [
        f"Measured on the {split} split, means over {seed_count(scores)}; of all measures less is "
        "better. ECE: expected calibration error, 15 bins. NLL: negative log-likelihood. AURC: "
        "area under the curve of risk over coverage.",
    ]
    return Section(
        "generation_calibration",
        "Calibration of generations",
        mean_scores(scores).reset_index(),
        notes,
        digits=3,
    )


def _together(
    line: Sequence[FinishedRun], split: Split, measure: Callable[[Tensor, Tensor], dict[str, float]]
) -> list[dict[str, Any]]:
    """For one seed: ``measure`` of each generation, then of each ensemble of several."""
    outputs = [outputs_of(run, split) for run in line]
    ensembles = prefix_ensembles([network.probabilities for network in outputs])
    rows = [
        {"run": run.name, **measure(network.probabilities, network.labels)}
        for run, network in zip(line, outputs, strict=True)
    ]
    return rows + [
        {"generations": f"0-{number}", **measure(ensembles[number], outputs[0].labels)}
        for number in range(1, len(line))
    ]


def _accuracy(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    return {"accuracy": accuracy(probabilities, labels)}


def _calibration(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "ECE": calibration.expected_calibration_error(probabilities, labels),
        "NLL": calibration.negative_log_likelihood(probabilities, labels),
        "Brier": calibration.brier_score(probabilities, labels),
        "AURC": calibration.area_under_risk_coverage(probabilities, labels),
    }


def _of_seeds(runs: Sequence[FinishedRun], baseline: str, split: Split) -> list[str]:
    """Control: ensembles of the same size from independently trained networks."""
    lines = [line for by_seed in chains_of(runs).values() for line in by_seed.values()]
    independent = {run.seed: run for line in lines for run in line if run.name == baseline}
    outputs = [outputs_of(run, split) for run in independent.values()]
    reached = []
    for count in range(2, min(max(map(len, lines)), len(outputs)) + 1):
        scores = [
            accuracy(torch.stack([item.probabilities for item in chosen]).mean(0), chosen[0].labels)
            for chosen in itertools.combinations(outputs, count)
        ]
        reached.append(f"{count} reach {sum(scores) / len(scores):.2f}")
    if not reached:
        return []
    return [
        f"Control for the ensembles: of {len(outputs)} networks {baseline} of different seeds, "
        f"{', '.join(reached)} together (means over all choices)."
    ]


def _draw_accuracy(canvas: Figure, scores: pd.DataFrame, split: Split) -> None:
    left, right = canvas.subplots(1, 2, sharey=True)
    ensemble = scores["generations"].str.startswith("0-")
    scores = scores.assign(generations=scores["generations"].str.removeprefix("0-"))
    draw_lines(left, scores[~ensemble], "accuracy", f"{split} accuracy (%)")
    # An ensemble of generation 0 alone is that generation.
    draw_lines(right, scores[ensemble | (scores["generations"] == "0")], "accuracy", "")
    left.set_title("each generation", fontsize=10)
    right.set_title("ensemble of all up to it", fontsize=10)
    right.get_legend().remove()
