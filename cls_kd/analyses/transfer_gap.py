"""The transfer gap: recall of class groups by teacher probability mass, and IPWD's weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.errors import UserError, did_you_mean
from cls_kd.evaluation.transfer_gap import (
    class_groups,
    class_mass,
    class_means,
    class_recall,
    effective_sample_size,
    group_means,
    imbalance_curve,
)
from cls_kd.modules import PropensityHead
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Gain, Section, paired_gain, style
from cls_kd.reporting.statistics import adjusted_by_name


@ANALYSES.register_module()
def transfer_gap(
    runs: Sequence[FinishedRun],
    *,
    baseline: str,
    groups: int = 4,
    temperature: float = 1.0,
    split: Split = "test",
) -> Section:
    """Recall of class groups, ranked by the teacher's probability mass.

    Classes are ranked by their mass on the training images, as the student sees them, and cut into
    groups. One row for each run and group; a run with IPWD's weights also shows those.

    Args:
        runs: The finished runs; the teacher is that of the first run that has one.
        baseline: The run that the others are compared with, seed by seed.
        groups: Number of groups.
        temperature: Of the teacher's softmax.
        split: The split on which recall is measured.

    Returns:
        ``mass`` and ``labels`` are the group's means over those of all classes; ``recall`` is
        macro-averaged, in percent; ``weight`` is the mean weight over that of all samples, as
        the end of training would give it, also where the loss's ``start`` never came.

    Raises:
        UserError: No run has a teacher, or there is no run of the baseline's name.
    """
    names = list(dict.fromkeys(run.name for run in runs))
    if baseline not in names:
        raise UserError(
            f"transfer_gap: there is no run {baseline!r}.{did_you_mean(baseline, names)}"
        )
    taught = next((run for run in runs if run.distiller.teachers), None)
    if taught is None:
        raise UserError("transfer_gap ranks classes by a teacher, and no run has one.")
    seen = taught.signals("train", ["teacher_logits", "labels"])
    mass = class_mass(seen["teacher_logits"], temperature)
    right = 100 * float((seen["teacher_logits"].argmax(1) == seen["labels"]).float().mean())
    counts = seen["labels"].bincount(minlength=len(mass)).double()
    parts = class_groups(mass, groups)

    recalls = _recalls(runs, split, parts)
    weights = {run: _weights(run) for run in runs if _heads(run)}
    gains = _gains(recalls, baseline)
    rows = [
        {
            "run": name,
            "group": group,
            "classes": " ".join(str(int(label)) for label in part),
            "mass": float(mass[part].mean() / mass.mean()),
            "labels": float(counts[part].mean() / counts.mean()),
            **_compared(recalls, gains, name, group),
            "weight": _mean(weights, name, part, len(mass)),
        }
        for name in names
        for group, part in enumerate(parts, 1)
    ]
    table = pd.DataFrame(rows)
    return Section(
        "transfer_gap",
        "The transfer gap",
        table,
        [*_notes(taught, mass, temperature, right, split, baseline), *_spread(weights)],
        lambda canvas: _draw(canvas, table, imbalance_curve(mass), weights, baseline),
        size=(12.0, 4.2),
    )


def _recalls(runs: Sequence[FinishedRun], split: Split, parts: Sequence[Tensor]) -> pd.DataFrame:
    """One row for each run, seed and group, in percent."""
    return pd.DataFrame(
        [
            {"run": run.name, "seed": run.seed, "group": group, "recall": 100 * float(value)}
            for run in runs
            for group, value in enumerate(_recall(run, split, parts), 1)
        ]
    )


def _recall(run: FinishedRun, split: Split, parts: Sequence[Tensor]) -> list[float]:
    seen = run.signals(split, ["student_logits", "labels"])
    classes = seen["student_logits"].shape[1]
    recall = class_recall(seen["student_logits"].argmax(1), seen["labels"], classes)
    return group_means(recall, parts).tolist()


def _gains(recalls: pd.DataFrame, baseline: str) -> dict[tuple[str, int], Gain]:
    """Over the baseline, by run and group; p adjusted for the number of both."""
    by_key = {
        key: part.set_index("seed")["recall"] for key, part in recalls.groupby(["run", "group"])
    }
    gains = {
        key: paired_gain(values, by_key[baseline, key[1]])
        for key, values in by_key.items()
        if key[0] != baseline
    }
    return adjusted_by_name(gains)


def _compared(
    recalls: pd.DataFrame, gains: dict[tuple[str, int], Gain], name: str, group: int
) -> dict[str, Any]:
    chosen = recalls[(recalls["run"] == name) & (recalls["group"] == group)]
    row: dict[str, Any] = {"recall": float(chosen["recall"].mean())}
    gain = gains.get((name, group))
    if gain is None:
        return row
    return row | {
        "gain": gain.mean,
        "low": gain.low,
        "high": gain.high,
        "verdict": gain.verdict,
    }


def _heads(run: FinishedRun) -> list[PropensityHead]:
    return [
        module for module in run.distiller.losses.modules() if isinstance(module, PropensityHead)
    ]


@torch.no_grad()
def _weights(run: FinishedRun) -> tuple[Tensor, Tensor]:
    """The weights of all training samples at the end, over their mean; and the labels."""
    seen = run.signals("train", ["student_embedding", "student_logits", "targets", "labels"])
    signals = seen["student_embedding"], seen["student_logits"], seen["targets"]
    head = copy.deepcopy(_heads(run)[0]).cpu()
    head.weigh.normalize = False  # it would ask other processes, which do not analyze
    _, weights = head(*signals)
    return weights / weights.mean(), seen["labels"]


def _mean(
    weights: dict[FinishedRun, tuple[Tensor, Tensor]], name: str, part: Tensor, classes: int
) -> float:
    """Mean weight of a group of classes, over the seeds of a run; NaN for a run without."""
    means = [
        float(group_means(class_means(*values, classes), [part])[0])
        for run, values in weights.items()
        if run.name == name
    ]
    return float(np.mean(means)) if means else float("nan")


def _notes(
    taught: FinishedRun, mass: Tensor, temperature: float, right: float, split: str, baseline: str
) -> list[str]:
    return [
        f"mass: probability that the teacher of {taught.run.title} gives a class over the training "
        f"images, at temperature {temperature:g}, divided by the mean of all classes; from "
        f"{float(mass.max() / mass.mean()):.3f} to {float(mass.min() / mass.mean()):.3f}. labels: "
        "the same of the labels. Group 1 is the head. The images are as the student sees them; "
        f"the teacher is right about {right:.1f} % of them.",
        f"recall: macro-average in % on the {split} split, mean over seeds. gain: percentage "
        f"points over {baseline}, seed by seed, with the 95 % t interval of its mean. The verdict "
        "follows the p-value of the paired t-test, adjusted for the number of gains (Holm); the "
        "intervals are not adjusted.",
    ]


def _spread(weights: dict[FinishedRun, tuple[Tensor, Tensor]]) -> list[str]:
    lines = []
    for name in dict.fromkeys(run.name for run in weights):
        seeds = [values for run, (values, _) in weights.items() if run.name == name]
        fraction = np.mean([effective_sample_size(values) / len(values) for values in seeds])
        quantiles = [np.quantile(values.numpy(), (0.05, 0.95)) for values in seeds]
        low, high = np.mean(quantiles, axis=0)
        lines.append(
            f"{name}: 90 % of the weights are between {low:.2f} and {high:.2f} times their mean; "
            f"their effective sample size is {100 * fraction:.1f} % of the samples (mean over "
            "seeds)."
        )
    return lines


def _draw(
    canvas: Figure,
    table: pd.DataFrame,
    curve: Tensor,
    weights: dict[FinishedRun, tuple[Tensor, Tensor]],
    baseline: str,
) -> None:
    compared = [name for name in dict.fromkeys(table["run"]) if name != baseline]
    colors = {name: style.color_of(index) for index, name in enumerate(compared)}
    panels = canvas.subplots(1, 3 if weights else 2)
    _draw_mass(panels[0], curve)
    _draw_gains(panels[1], table, colors, baseline)
    if weights:
        for name in dict.fromkeys(run.name for run in weights):
            every = torch.cat([values for run, (values, _) in weights.items() if run.name == name])
            color = colors.get(name, style.DARK_GRAY)
            panels[2].hist(
                every.numpy(), bins=60, histtype="step", density=True, color=color, label=name
            )
        panels[2].set(title="weights of training samples", xlabel="weight / mean weight")
        panels[2].legend(fontsize=8)
    for axes in panels:
        style.tidy(axes)


def _draw_mass(axes: Axes, curve: Tensor) -> None:
    axes.bar(range(1, len(curve) + 1), curve.numpy() - 1, bottom=1, color=style.GRAY)
    axes.axhline(1, color=style.BLACK, lw=0.8)
    axes.set(title="teacher's probability mass", xlabel="class, ranked", ylabel="mass / mean mass")


def _draw_gains(axes: Axes, table: pd.DataFrame, colors: dict[str, str], baseline: str) -> None:
    width = 0.8 / max(len(colors), 1)
    for index, (name, color) in enumerate(colors.items()):
        rows = table[table["run"] == name]
        reach = np.stack([rows["gain"] - rows["low"], rows["high"] - rows["gain"]])
        axes.errorbar(
            rows["group"] + (index - (len(colors) - 1) / 2) * width,
            rows["gain"],
            yerr=np.nan_to_num(reach),
            fmt="o",
            ms=4,
            capsize=2,
            color=color,
            label=name,
        )
    axes.axhline(0, color=style.BLACK, lw=0.8)
    axes.set_xticks(sorted(set(table["group"])))
    axes.set(title=f"recall over {baseline}", xlabel="group, head to tail", ylabel="points")
    axes.legend(fontsize=8)
