"""Chains of generations: how they answer, alone and together, and what their embedding is worth."""

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

from cls_kd.analyses.chains import Answers, answers_of, chains_of
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.engine.data import innermost
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
        split: The part of the data.

    Returns:
        One row for each network and each ensemble (mean probabilities of generations 0 to m):
        accuracy in percent with its standard deviation over seeds, and the gain in percentage
        points with its 95 % t interval.

    Raises:
        UserError: There is no run of the baseline's name.
    """
    found = _of_all(runs, lambda line: _together(line, split, _accuracy))
    table = _compared(found, baseline).reset_index()
    notes = [
        f"Measured on the {split} part: mean and standard deviation over {_seeds(found)}. 0-m is "
        "the ensemble of generations 0 to m: the mean of their probabilities.",
        _of_gain(baseline),
        *_of_seeds(runs, baseline, split),
    ]
    return Section(
        "generations",
        "Generations, alone and together",
        table,
        notes,
        lambda canvas: _draw_accuracy(canvas, found, split),
    )


@ANALYSES.register_module()
def generation_calibration(runs: Sequence[FinishedRun], *, split: Split = "test") -> Section:
    """How far the probabilities of generations, and of their ensembles, can be believed.

    Args:
        runs: As in ``generations``.
        split: The part of the data.

    Returns:
        One row for each network and each ensemble, means over seeds, of the measures in
        ``cls_kd.evaluation.calibration``.
    """
    found = _of_all(runs, lambda line: _together(line, split, _calibration))
    notes = [
        f"Measured on the {split} part, means over {_seeds(found)}; of all measures less is "
        "better. ECE: expected calibration error, 15 bins. NLL: negative log-likelihood. AURC: "
        "area under the curve of risk over coverage.",
    ]
    return Section(
        "generation_calibration",
        "Calibration of generations",
        _means(found).reset_index(),
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
    """What the generations say besides their first answer, and whether it is about like classes.

    Args:
        runs: As in ``generations``.
        k: How many top scores count, the first included.
        superclasses: A superclass of each class, by name or number. Default: those that the data
            set knows as ``metainfo['superclasses']``; without any, measures of class structure are
            left out.
        split: The part of the data.

    Returns:
        One row a generation, means over seeds, of the measures in ``cls_kd.evaluation.confidence``
        and ``cls_kd.evaluation.class_structure``.

    Raises:
        UserError: The superclasses or k do not fit the classes.
    """
    groups = _superclasses(superclasses, runs[0], split)
    found = _of_all(runs, lambda line: _informed(line, split, k, groups))
    notes = [
        f"Measured on the {split} part, means over {_seeds(found)}. Entropy in nats. first: the "
        f"largest score. second to {k}: what these scores hold together. difference: the largest "
        "less the mean of these. drift: KL of the generation before to this one, in nats.",
    ]
    if groups is not None:
        chance = class_structure.mass_by_chance(groups)
        notes.append(
            "Class structure, measures of our own. superclass mass: share of what is beside the "
            "first answer that lies in its superclass. hit rate: share of the second to "
            f"{k}th answers that do; by chance both are {chance:.3f}. separation: distance of "
            "class centroids of the embedding across superclasses over that within."
        )
    return Section(
        "secondary_information",
        "What generations say besides their first answer",
        _means(found).reset_index(),
        notes,
        lambda canvas: _draw_information(canvas, found, groups),
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
    """What the frozen embedding of each generation is worth on another data set.

    A logistic regression is fitted to standardized embeddings of ``train``.

    Args:
        runs: As in ``generations``.
        train: Config of a data set, with its pipeline.
        test: The same of the images that are measured.
        baseline: The run that all are compared with, seed by seed.

    Raises:
        UserError: There is no run of the baseline's name.
    """
    found = _of_all(runs, lambda line: [_transferred(one, train, test) for one in line])
    table = _compared(found, baseline).reset_index()
    notes = [
        "Accuracy in percent, on the other data, of a logistic regression on the frozen, "
        f"standardized embedding: mean and standard deviation over {_seeds(found)}.",
        _of_gain(baseline),
    ]
    label = "accuracy on the other data (%)"
    return Section(
        "generation_transfer",
        "Transfer of the embedding",
        table,
        notes,
        lambda canvas: _draw_lines(canvas.subplots(), found, "accuracy", label),
        size=(6.0, 4.2),
    )


def _of_all(
    runs: Sequence[FinishedRun], measure: Callable[[list[FinishedRun]], list[dict[str, Any]]]
) -> pd.DataFrame:
    """One row for each chain, seed and what ``measure`` finds in its generations."""
    return pd.DataFrame(
        [
            {"chain": chain, "seed": seed, "generations": str(place), **row}
            for chain, lines in chains_of(runs).items()
            for seed, line in lines.items()
            for place, row in enumerate(measure(line))
        ]
    )


def _together(
    line: Sequence[FinishedRun], split: Split, measure: Callable[[Tensor, Tensor], dict[str, float]]
) -> list[dict[str, Any]]:
    """Of one seed: what ``measure`` finds in each generation, then in each ensemble of several."""
    answers = [answers_of(one, split) for one in line]
    ensembles = prefix_ensembles([one.probabilities for one in answers])
    rows = [
        {"run": one.name, **measure(answer.probabilities, answer.labels)}
        for one, answer in zip(line, answers, strict=True)
    ]
    return rows + [
        {"generations": f"0-{place}", **measure(ensembles[place], answers[0].labels)}
        for place in range(1, len(line))
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
    """Of one seed: each generation."""
    rows: list[dict[str, Any]] = []
    before: Answers | None = None
    for one in line:
        now = answers_of(one, split)
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
    one: FinishedRun, train: Mapping[str, Any], test: Mapping[str, Any]
) -> dict[str, Any]:
    fresh = FinishedRun(one.run, one.checkpoint)
    loader = dict(one.cfg.test_dataloader)
    other = {
        "val_dataloader": {**loader, "dataset": dict(train)},
        "test_dataloader": {**loader, "dataset": dict(test)},
    }
    fresh.cfg = Config({**one.cfg.to_dict(), **other})
    found = linear_transfer(*_embedded(fresh, "val"), *_embedded(fresh, "test"))
    return {"run": one.name, "accuracy": found}


def _embedded(one: FinishedRun, split: Split) -> tuple[Tensor, Tensor]:
    """Embeddings and labels; these may count other classes than the network does."""
    dataset: Any = innermost(one.loader(split).dataset)
    embeddings = one.signals(split, ["student_embedding"])["student_embedding"]
    return embeddings, torch.as_tensor(dataset.get_gt_labels())


_ROW = ["chain", "generations"]
# Of the measures that are drawn; of all others only the lower end is bounded, by 0.
_RANGES = {"accuracy": (0.0, 100.0), "superclass mass": (0.0, 1.0)}


def _means(found: pd.DataFrame) -> pd.DataFrame:
    """Of every measure, over seeds; in the order of the chains."""
    measures = found.drop(columns=["seed", "run"], errors="ignore")
    return measures.groupby(_ROW, sort=False).mean()


def _compared(found: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Mean and spread of the accuracy over seeds, and its gain over a run."""
    known = set(found["run"].dropna())
    if baseline not in known:
        raise UserError(
            f"There is no run {baseline!r} to compare with.{did_you_mean(baseline, known)}"
        )
    # As a patriarch of several chains it is there several times.
    base = found[found["run"] == baseline].drop_duplicates("seed").set_index("seed")["accuracy"]
    rows: dict[Any, dict[str, Any]] = {}
    gains = {}
    for key, of in found.groupby(_ROW, sort=False):
        values = of.set_index("seed")["accuracy"]
        rows[key] = {"accuracy": values.mean(), "std": values.std(ddof=1), "verdict": "baseline"}
        if of["run"].iloc[0] != baseline:
            gains[key] = paired_gain(values, base)
    for key, gain in adjusted_by_name(gains).items():
        rows[key] |= {"gain": gain.mean, "low": gain.low, "high": gain.high}
        rows[key]["verdict"] = gain.verdict
    columns = ["accuracy", "std", "gain", "low", "high", "verdict"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis(_ROW)


def _of_seeds(runs: Sequence[FinishedRun], baseline: str, split: Split) -> list[str]:
    """What the ensembles are to be held against: as many networks that nothing connects."""
    lines = [line for by_seed in chains_of(runs).values() for line in by_seed.values()]
    apart = {one.seed: one for line in lines for one in line if one.name == baseline}
    answers = [answers_of(one, split) for one in apart.values()]
    reached = []
    for count in range(2, min(max(map(len, lines)), len(answers)) + 1):
        some = [
            accuracy(torch.stack([one.probabilities for one in chosen]).mean(0), chosen[0].labels)
            for chosen in itertools.combinations(answers, count)
        ]
        reached.append(f"{count} reach {sum(some) / len(some):.2f}")
    if not reached:
        return []
    return [
        f"To hold the ensembles against: of {len(answers)} networks {baseline} of different seeds, "
        f"{', '.join(reached)} together (means over all choices)."
    ]


def _seeds(found: pd.DataFrame) -> str:
    count = found["seed"].nunique()
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


def _draw_accuracy(canvas: Figure, found: pd.DataFrame, split: Split) -> None:
    left, right = canvas.subplots(1, 2, sharey=True)
    together = found["generations"].str.startswith("0-")
    found = found.assign(generations=found["generations"].str.removeprefix("0-"))
    _draw_lines(left, found[~together], "accuracy", f"{split} accuracy (%)")
    # An ensemble of generation 0 alone is that generation.
    _draw_lines(right, found[together | (found["generations"] == "0")], "accuracy", "")
    left.set_title("each generation", fontsize=10)
    right.set_title("ensemble of all up to it", fontsize=10)
    right.get_legend().remove()


def _draw_information(canvas: Figure, found: pd.DataFrame, groups: Tensor | None) -> None:
    shown = {"entropy": "entropy (nats)", "drift": "drift from the generation before (nats)"}
    if groups is not None:
        shown["superclass mass"] = "superclass mass (ours)"
    panels = canvas.subplots(1, len(shown))
    for axes, (column, label) in zip(panels, shown.items(), strict=True):
        _draw_lines(axes, found, column, label)
    for axes in panels[1:]:
        axes.get_legend().remove()
    if groups is not None:
        chance = class_structure.mass_by_chance(groups)
        panels[-1].axhline(chance, color="black", lw=1, ls=(0, (6, 3)))


def _draw_lines(axes: Axes, found: pd.DataFrame, column: str, label: str) -> None:
    """One line a chain, over its generations; bars are the standard deviation over seeds.

    They end where the measure's range does.
    """
    for place, (chain, of) in enumerate(found.groupby("chain", sort=False)):
        over = of.groupby(of["generations"].astype(int))[column].agg(["mean", "std"])
        at = over.index + 0.03 * place  # side by side, so that no bar hides another
        color = style.color_of(place)
        low, high = _RANGES.get(column, (0.0, math.inf))
        room = np.maximum([over["mean"] - low, high - over["mean"]], 0.0)
        reach = np.minimum(room, over["std"].to_numpy())
        axes.errorbar(
            at, over["mean"], reach, fmt="o-", ms=4, capsize=2, color=color, label=str(chain)
        )
    axes.set_xticks(sorted(found["generations"].astype(int).unique()))
    axes.set_xlabel("generation")
    axes.set_ylabel(label)
    style.tidy(axes, "both")
    axes.legend(fontsize=8, frameon=False)
