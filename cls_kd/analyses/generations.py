"""Chains of generations: accuracy, calibration, secondary information and transfer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.config import Config
from torch import Tensor

from cls_kd.analyses.chains import SplitOutputs, chains_of, outputs_of
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.engine.loaders import innermost
from cls_kd.errors import UserError, did_you_mean
from cls_kd.evaluation import calibration, class_structure, confidence
from cls_kd.evaluation.ensembles import accuracy, prefix_ensembles
from cls_kd.evaluation.transfer import linear_transfer
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section, paired_gain, style
from cls_kd.reporting.statistics import adjusted_by_name


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
    scores = _of_all(runs, lambda line: _together(line, split, _accuracy))
    table = _compared(scores, baseline).reset_index()
    notes = [
        f"Measured on the {split} split: mean and standard deviation over {_seeds(scores)}. 0-m is "
        "the ensemble of generations 0 to m: the mean of their probabilities.",
        _of_gain(baseline),
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
    scores = _of_all(runs, lambda line: _together(line, split, _calibration))
    notes = [
        f"Measured on the {split} split, means over {_seeds(scores)}; of all measures less is "
        "better. ECE: expected calibration error, 15 bins. NLL: negative log-likelihood. AURC: "
        "area under the curve of risk over coverage.",
    ]
    return Section(
        "generation_calibration",
        "Calibration of generations",
        _means(scores).reset_index(),
        notes,
        digits=3,
    )


@ANALYSES.register_module()
def secondary_information(
    runs: Sequence[FinishedRun],
    *,
    k: int = 5,
    superclasses: Sequence[str | int] | None = None,
    split: Split = "test",
) -> Section:
    """Confidence, and class structure of the probabilities below the top-1, for each generation.

    Args:
        runs: As in ``generations``.
        k: Number of top scores, the first included.
        superclasses: A superclass of each class, by name or number. Default: those that the data
            set knows as ``metainfo['superclasses']``; without any, measures of class structure are
            left out.
        split: The split.

    Returns:
        One row a generation, means over seeds, of the measures in ``cls_kd.evaluation.confidence``
        and ``cls_kd.evaluation.class_structure``.

    Raises:
        UserError: The superclasses or k do not fit the classes.
    """
    groups = _superclasses(superclasses, runs[0], split)
    scores = _of_all(runs, lambda line: _informed(line, split, k, groups))
    notes = [
        f"Measured on the {split} split, means over {_seeds(scores)}. Entropy in nats. first: the "
        f"largest score. second to {k}: the sum of these scores. difference: the largest "
        "less the mean of these. drift: KL of the generation before to this one, in nats.",
    ]
    if groups is not None:
        chance = class_structure.mass_by_chance(groups)
        notes.append(
            "Class structure, measures of our own. superclass mass: fraction of the "
            "non-top-1 probability in the superclass of the top-1. hit rate: fraction of the "
            f"second to {k}th classes that are in it; by chance both are {chance:.3f}. separation: "
            "distance of class centroids of the embedding across superclasses over that within."
        )
    return Section(
        "secondary_information",
        "Secondary information of generations",
        _means(scores).reset_index(),
        notes,
        lambda canvas: _draw_information(canvas, scores, groups),
        size=(12.0 if groups is not None else 9.0, 4.2),
        digits=3,
    )


@ANALYSES.register_module()
def generation_transfer(
    runs: Sequence[FinishedRun],
    *,
    train: Mapping[str, Any],
    test: Mapping[str, Any],
    baseline: str,
) -> Section:
    """Linear transfer of each generation's frozen embedding to another data set.

    A logistic regression is fitted to standardized embeddings of ``train``.

    Args:
        runs: As in ``generations``.
        train: Config of a data set, with its pipeline.
        test: Config of the data set on which accuracy is measured.
        baseline: The run that all are compared with, seed by seed.

    Raises:
        UserError: There is no run of the baseline's name.
    """
    scores = _of_all(runs, lambda line: [_transferred(run, train, test) for run in line])
    table = _compared(scores, baseline).reset_index()
    notes = [
        "Accuracy in percent, on the other data, of a logistic regression on the frozen, "
        f"standardized embedding: mean and standard deviation over {_seeds(scores)}.",
        _of_gain(baseline),
    ]
    label = "accuracy on the other data (%)"
    return Section(
        "generation_transfer",
        "Transfer of the embedding",
        table,
        notes,
        lambda canvas: _draw_lines(canvas.subplots(), scores, "accuracy", label),
        size=(6.0, 4.2),
    )


def _of_all(
    runs: Sequence[FinishedRun], measure: Callable[[list[FinishedRun]], list[dict[str, Any]]]
) -> pd.DataFrame:
    """One row for each chain, seed and result of ``measure`` on its generations."""
    return pd.DataFrame(
        [
            {"chain": chain, "seed": seed, "generations": str(number), **row}
            for chain, lines in chains_of(runs).items()
            for seed, line in lines.items()
            for number, row in enumerate(measure(line))
        ]
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


def _informed(
    line: Sequence[FinishedRun], split: Split, k: int, groups: Tensor | None
) -> list[dict[str, Any]]:
    """For one seed: the measures of each generation."""
    rows: list[dict[str, Any]] = []
    before: SplitOutputs | None = None
    for run in line:
        now = outputs_of(run, split)
        classes = now.logits.shape[1]
        if not 2 <= k <= classes:
            raise UserError(f"secondary_information: k={k} must be from 2 to {classes} (classes).")
        row = {
            "entropy": confidence.entropy(now.probabilities),
            "first": confidence.primary_score(now.probabilities),
            f"second to {k}": confidence.secondary_score(now.probabilities, k),
            "difference": confidence.top_score_difference(now.probabilities, k),
            "drift": float("nan"),
        }
        if before is not None:
            row["drift"] = class_structure.generation_drift(before.logits, now.logits)
        if groups is not None:
            row["superclass mass"] = class_structure.secondary_mass(now.logits, groups)
            row["hit rate"] = class_structure.top_k_hit_rate(now.logits, groups, k)
            row["separation"] = class_structure.coarse_separation(
                now.embeddings, now.labels, groups
            )
        rows.append(row)
        before = now
    return rows


def _transferred(
    run: FinishedRun, train: Mapping[str, Any], test: Mapping[str, Any]
) -> dict[str, Any]:
    fresh = FinishedRun(run.run, run.checkpoint)
    loader = dict(run.cfg.test_dataloader)
    other = {
        "val_dataloader": {**loader, "dataset": dict(train)},
        "test_dataloader": {**loader, "dataset": dict(test)},
    }
    fresh.cfg = Config({**run.cfg.to_dict(), **other})
    score = linear_transfer(*_embedded(fresh, "val"), *_embedded(fresh, "test"))
    return {"run": run.name, "accuracy": score}


def _embedded(run: FinishedRun, split: Split) -> tuple[Tensor, Tensor]:
    """Embeddings and labels; these may count other classes than the network does."""
    dataset: Any = innermost(run.loader(split).dataset)
    embeddings = run.signals(split, ["student_embedding"])["student_embedding"]
    return embeddings, torch.as_tensor(dataset.get_gt_labels())


_ROW = ["chain", "generations"]
# Of the measures that are drawn; of all others only the lower end is bounded, by 0.
_RANGES = {"accuracy": (0.0, 100.0), "superclass mass": (0.0, 1.0)}


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    """Of every measure, over seeds; in the order of the chains."""
    measures = scores.drop(columns=["seed", "run"], errors="ignore")
    return measures.groupby(_ROW, sort=False).mean()


def _compared(scores: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Mean and spread of the accuracy over seeds, and its gain over a run."""
    known = set(scores["run"].dropna())
    if baseline not in known:
        raise UserError(
            f"There is no run {baseline!r} to compare with.{did_you_mean(baseline, known)}"
        )
    # As a patriarch of several chains it is there several times.
    base = scores[scores["run"] == baseline].drop_duplicates("seed")
    base = base.set_index("seed")["accuracy"]
    rows: dict[Any, dict[str, Any]] = {}
    gains = {}
    for key, group in scores.groupby(_ROW, sort=False):
        values = group.set_index("seed")["accuracy"]
        rows[key] = {"accuracy": values.mean(), "std": values.std(ddof=1), "verdict": "baseline"}
        if group["run"].iloc[0] != baseline:
            gains[key] = paired_gain(values, base)
    for key, gain in adjusted_by_name(gains).items():
        rows[key] |= {"gain": gain.mean, "low": gain.low, "high": gain.high}
        rows[key]["verdict"] = gain.verdict
    columns = ["accuracy", "std", "gain", "low", "high", "verdict"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis(_ROW)


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


def _seeds(scores: pd.DataFrame) -> str:
    count = scores["seed"].nunique()
    return f"{count} seeds" if count > 1 else "one seed"


def _of_gain(baseline: str) -> str:
    return (
        f"gain: percentage points over {baseline}, seed by seed, with the 95 % t interval of its "
        "mean. The verdict follows the p-value of the paired t-test, adjusted for the number of "
        "gains (Holm); the intervals are not adjusted."
    )


def _superclasses(
    given: Sequence[str | int] | None, run: FinishedRun, split: Split
) -> Tensor | None:
    meta = getattr(run.loader(split).dataset, "metainfo", {})
    names = given if given is not None else meta.get("superclasses")
    if names is None:
        return None
    return class_structure.superclasses_of(names, len(meta["classes"]))


def _draw_accuracy(canvas: Figure, scores: pd.DataFrame, split: Split) -> None:
    left, right = canvas.subplots(1, 2, sharey=True)
    ensemble = scores["generations"].str.startswith("0-")
    scores = scores.assign(generations=scores["generations"].str.removeprefix("0-"))
    _draw_lines(left, scores[~ensemble], "accuracy", f"{split} accuracy (%)")
    # An ensemble of generation 0 alone is that generation.
    _draw_lines(right, scores[ensemble | (scores["generations"] == "0")], "accuracy", "")
    left.set_title("each generation", fontsize=10)
    right.set_title("ensemble of all up to it", fontsize=10)
    right.get_legend().remove()


def _draw_information(canvas: Figure, scores: pd.DataFrame, groups: Tensor | None) -> None:
    shown = {"entropy": "entropy (nats)", "drift": "drift from the generation before (nats)"}
    if groups is not None:
        shown["superclass mass"] = "superclass mass (ours)"
    panels = canvas.subplots(1, len(shown))
    for axes, (column, label) in zip(panels, shown.items(), strict=True):
        _draw_lines(axes, scores, column, label)
    for axes in panels[1:]:
        axes.get_legend().remove()
    if groups is not None:
        chance = class_structure.mass_by_chance(groups)
        panels[-1].axhline(chance, color="black", lw=1, ls=(0, (6, 3)))


def _draw_lines(axes: Axes, scores: pd.DataFrame, column: str, label: str) -> None:
    """One line a chain, over its generations; bars are the standard deviation over seeds.

    They end where the measure's range does.
    """
    for index, (chain, group) in enumerate(scores.groupby("chain", sort=False)):
        over = group.groupby(group["generations"].astype(int))[column].agg(["mean", "std"])
        x = over.index + 0.03 * index  # side by side, so that no bar hides another
        color = style.color_of(index)
        low, high = _RANGES.get(column, (0.0, math.inf))
        room = np.maximum([over["mean"] - low, high - over["mean"]], 0.0)
        reach = np.minimum(room, over["std"].to_numpy())
        axes.errorbar(
            x, over["mean"], reach, fmt="o-", ms=4, capsize=2, color=color, label=str(chain)
        )
    axes.set_xticks(sorted(scores["generations"].astype(int).unique()))
    axes.set_xlabel("generation")
    axes.set_ylabel(label)
    style.tidy(axes, "both")
    axes.legend(fontsize=8, frameon=False)
