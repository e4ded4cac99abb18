"""Decompose KD's cross-entropy into target, mass and shape terms for each run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.errors import UserError
from cls_kd.evaluation.decomposition import decompose
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section, style

_COLUMNS = {
    "total": "KD",
    "target": "target",
    "mass": "mass",
    "shape": "shape",
    "target_share": "target %",
    "target_gradient": "grad target",
    "non_target_gradient": "grad others",
    "target_gradient_share": "grad target %",
    "gradient": "grad KD",
    "teacher_mass": "teacher mass %",
    "student_mass": "student mass %",
    "normalized": "NKD others",
    "floor": "its floor",
    "normalized_gradient": "grad NKD others",
}


@ANALYSES.register_module()
def decomposition(
    runs: Sequence[FinishedRun], *, split: Split = "val", temperature: float = 1.0
) -> Section:
    """Target, mass and shape terms of KD's cross-entropy and their gradients, after training.

    Args:
        runs: The finished runs. One without a teacher is compared with the teacher of the first
            that has one.
        split: The split.
        temperature: Of both softmaxes, the same for every run, whatever it was trained with.

    Returns:
        One row a run, means over its seeds.

    Raises:
        UserError: No run has a teacher.
    """
    taught = next((run for run in runs if run.distiller.teachers), None)
    if taught is None:
        raise UserError("decomposition: none of the runs has a teacher to compare with.")
    rows = []
    for run in runs:
        # About the same images: those of the training split may differ from run to run.
        teacher_run = run if run.distiller.teachers else taught
        names = ["student_logits", "teacher_logits", "labels"]
        student, teacher, labels = run.signals(split, names, teacher_of=teacher_run).values()
        parts = decompose(student, teacher, labels, temperature)
        rows.append({"run": run.name, "seed": run.seed, **parts.mean()})
    every = pd.DataFrame(rows)
    order = list(dict.fromkeys(run.name for run in runs))
    means = every.groupby("run").mean(numeric_only=True).loc[order]
    percent = [name for name in _COLUMNS if name.endswith(("share", "_mass"))]
    means[percent] *= 100
    table = means[list(_COLUMNS)].rename(columns=_COLUMNS).reset_index()
    table.insert(1, "seeds", every.groupby("run")["seed"].nunique().loc[order].to_numpy())
    size = (11.0, 1.8 + 0.45 * len(table))
    title = "KD's cross-entropy in parts"
    return Section(
        "decomposition",
        title,
        table,
        _notes(split, temperature),
        lambda c: _draw(c, table),
        size,
        3,
    )


def _notes(split: Split, temperature: float) -> list[str]:
    return [
        f"Temperature {temperature:g}, {split} split, mean over images and seeds, at the end of "
        "training. A run without a teacher is compared with that of the first run that has one.",
        "KD = target + mass + shape. target is of the label's class; mass depends on the total "
        "probability of the other classes, shape on its distribution among them.",
        "mass % is the total probability of the classes other than the label's. As long as teacher "
        "and student differ there, the other classes cannot match.",
        "grad is the norm of the gradient by the student's logits, mean over images. The norms of "
        "the parts do not add up: their gradients partly cancel.",
        "NKD others is NKD's non-target term without gamma: normalized probabilities. It cannot "
        "fall below its floor, the entropy of the teacher's normalized probabilities.",
    ]


def _draw(canvas: Figure, table: pd.DataFrame) -> None:
    left, right = canvas.subplots(1, 2)
    rows = np.arange(len(table))
    start = np.zeros(len(table))
    for part, color in (("target", style.BLUE), ("mass", style.RED), ("shape", style.ORANGE)):
        left.barh(rows, table[part], left=start, color=color, label=part)
        start = start + table[part].to_numpy()
    left.set_xlabel("KD's cross-entropy")
    for shift, part, color in (
        (-0.2, "grad target", style.BLUE),
        (0.2, "grad others", style.RED),
    ):
        right.barh(rows + shift, table[part], height=0.4, color=color, label=part)
    right.plot(table["grad KD"], rows, "D", color=style.BLACK, ms=4, label="grad KD")
    right.set_xlabel("norm of the gradient by the student's logits")
    for axes in (left, right):
        style.rows(axes, list(table["run"]))
        style.tidy(axes)
        axes.legend(fontsize=8, loc="best")
