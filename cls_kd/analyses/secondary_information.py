"""Secondary information of generations: confidence and class structure below the top-1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from cls_kd.analyses.chains import SplitOutputs, outputs_of
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.analyses.generation_scores import draw_lines, mean_scores, scores_of_all, seed_count
from cls_kd.errors import UserError
from cls_kd.evaluation import class_structure, confidence
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section


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
    scores = scores_of_all(runs, lambda line: _informed(line, split, k, groups))
    notes = [
        f"Measured on the {split} split, means over {seed_count(scores)}. Entropy in nats. "
        f"first: the largest score. second to {k}: the sum of these scores. difference: the "
        "largest less the mean of these. drift: KL of the generation before to this one, in nats.",
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
        mean_scores(scores).reset_index(),
        notes,
        lambda canvas: _draw_information(canvas, scores, groups),
        size=(12.0 if groups is not None else 9.0, 4.2),
        digits=3,
    )


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


def _superclasses(
    given: Sequence[str | int] | None, run: FinishedRun, split: Split
) -> Tensor | None:
    meta = getattr(run.loader(split).dataset, "metainfo", {})
    names = given if given is not None else meta.get("superclasses")
    if names is None:
        return None
    return class_structure.superclasses_of(names, len(meta["classes"]))


def _draw_information(canvas: Figure, scores: pd.DataFrame, groups: Tensor | None) -> None:
    shown = {"entropy": "entropy (nats)", "drift": "drift from the generation before (nats)"}
    if groups is not None:
        shown["superclass mass"] = "superclass mass (ours)"
    panels = canvas.subplots(1, len(shown))
    for axes, (column, label) in zip(panels, shown.items(), strict=True):
        draw_lines(axes, scores, column, label)
    for axes in panels[1:]:
        axes.get_legend().remove()
    if groups is not None:
        chance = class_structure.mass_by_chance(groups)
        panels[-1].axhline(chance, color="black", lw=1, ls=(0, (6, 3)))
