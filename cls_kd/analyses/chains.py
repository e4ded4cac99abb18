"""Chains: a run, its teacher's run, and so on, back to a run without a teacher."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.runs import Run


@dataclass(frozen=True)
class SplitOutputs:
    """Outputs of one network on a split."""

    logits: Tensor
    embeddings: Tensor
    labels: Tensor
    probabilities: Tensor


def chains_of(runs: Sequence[FinishedRun]) -> dict[str, dict[int, list[FinishedRun]]]:
    """Chain to seed to its generations, the patriarch first.

    A chain has the name of its last run, without the number of the generation where that is unique.
    """
    known = {(run.name, run.seed): run for run in runs}
    teachers = [_teacher(run.run) for run in runs]
    taught = {(run.name, run.seed) for run in teachers if run is not None}
    last = [run for key, run in known.items() if key not in taught]
    short = {run.name: re.sub(r"_\d+$", "", run.name) for run in last}
    chains: dict[str, dict[int, list[FinishedRun]]] = {}
    for run in last:
        line = [run]
        while (before := _teacher(line[0].run)) is not None:
            line.insert(0, known.get((before.name, before.seed)) or FinishedRun(before))
        alone = list(short.values()).count(short[run.name]) == 1
        chains.setdefault(short[run.name] if alone else run.name, {})[run.seed] = line
    return chains


def _teacher(run: Run) -> Run | None:
    """The earlier run that taught this one, where one did."""
    teacher = run.cfg.model.get("teacher")
    weights = teacher.get("weights") if isinstance(teacher, Mapping) else None
    return run.depends_on.get(weights) if isinstance(weights, str) else None


def outputs_of(run: FinishedRun, split: Split) -> SplitOutputs:
    """Outputs of a run's student for all images of a split."""
    # A copy, whose networks are not kept: a chain may be long and its networks large.
    fresh = FinishedRun(run.run, run.checkpoint)
    names = ["student_logits", "student_embedding", "labels"]
    logits, embeddings, labels = fresh.signals(split, names).values()
    logits = logits.double()
    return SplitOutputs(logits, embeddings, labels, logits.softmax(1))
