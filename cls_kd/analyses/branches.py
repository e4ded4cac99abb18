"""Accuracy of branches and of their ensembles, and the gradient of the diversity loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from mmengine.device import get_device
from torch import Tensor

from cls_kd.adapters.samples import SampleBatch
from cls_kd.analyses.finished_runs import FinishedRun
from cls_kd.distillers import Distiller
from cls_kd.engine.train import build_distiller
from cls_kd.errors import UserError
from cls_kd.losses import ClassifierDiversityLoss, DistillLoss, PeerTaskLoss
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section, style
from cls_kd.signals import TrainingTime

_COLUMNS = {
    "accuracy/top1": "deployed",
    "branches/mean_top1": "branches",
    "ensemble/top1": "ensemble",
    "branches/diversity": "diversity",
}


@ANALYSES.register_module()
def branches(runs: Sequence[FinishedRun], *, split: Literal["val", "test"] = "test") -> Section:
    """Accuracy of the deployed branch, of the mean of branches, and of the ensemble; diversity.

    Args:
        runs: The finished runs; the config's evaluator must hold ``PeerAccuracy``.
        split: Test, or validation at the last epoch; as ``result.json`` has it.

    Returns:
        One row a run: means over seeds, and the worst and the best branch of all seeds.

    Raises:
        UserError: No run has branches.
    """
    rows = []
    for name, group in _by_run(runs).items():
        scores = pd.DataFrame([_scores(run, split) for run in group])
        row: dict[str, Any] = {"run": name, "seeds": len(group)}
        for key, title in _COLUMNS.items():
            row[title] = scores[key].mean() if key in scores else float("nan")
        each = scores.filter(regex=r"^branch_\d+/top1$")
        row["worst branch"] = each.min(axis=None) if len(each.columns) else float("nan")
        row["best branch"] = each.max(axis=None) if len(each.columns) else float("nan")
        rows.append(row)
    table = pd.DataFrame(rows)
    if table["branches"].isna().all():
        raise UserError(
            "branches: no run measured its branches: it needs a MultiBranchClassifier, and "
            f"dict(type='PeerAccuracy') in {split}_evaluator."
        )
    notes = [
        f"Top-1 in % on the {split} split. deployed: the student's accuracy; branches: the mean "
        "of all branches; ensemble: that of the fusion, with the cost of all branches.",
        "diversity: mean distance of the softmaxes of two branches, 0 to 1.41.",
    ]
    size = (9.0, 1.4 + 0.4 * len(table))
    return Section(
        "branches", "Branches and ensembles", table, notes, lambda c: _draw(c, table), size
    )


@ANALYSES.register_module()
def diversity_pull(runs: Sequence[FinishedRun]) -> Section:
    """Gradient norm of the classifier diversity loss relative to that of cross-entropy.

    Both with regard to the branches' classifiers, which is all that CD moves; over the training
    part, once with fresh weights and once with those of the end.

    Args:
        runs: The finished runs.

    Returns:
        One row a run with CD, means over seeds.

    Raises:
        UserError: No run has a classifier diversity loss.
    """
    rows = [_pull(run) for run in runs if _cd(run.distiller) is not None]
    if not rows:
        raise UserError("diversity_pull: no run is trained with ClassifierDiversityLoss.")
    table = pd.DataFrame(rows).groupby("run", sort=False, as_index=False).mean()
    table = table.drop(columns="seed")
    # Ratios span many powers of ten: as text, so that none becomes 0.00.
    for column in table.columns[1:]:
        table[column] = [f"{value:.2g}" for value in table[column]]
    notes = [
        "CE, CD: norm of the gradient at the branches' classifiers, mean over batches of the "
        "training split; CD before its scale. ratio: CD times its scale, divided by CE.",
        "start: fresh weights; end: those of the last checkpoint. Both in evaluation mode.",
    ]
    return Section("diversity_pull", "Gradient of the classifier diversity loss", table, notes)


def _by_run(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    by_name: dict[str, list[FinishedRun]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return by_name


def _scores(run: FinishedRun, split: str) -> dict[str, float]:
    if split == "val":
        return run.result["val"][-1]
    return run.result["test"] or {}


def _cd(distiller: Distiller) -> DistillLoss | None:
    term = _term(distiller, ClassifierDiversityLoss)
    return None if term is None else term.loss


def _term(distiller: Distiller, kind: type) -> Any:
    terms = [term for term in distiller.terms.values() if isinstance(term.loss, kind)]
    return terms[0] if terms else None


def _pull(run: FinishedRun) -> dict[str, Any]:
    at_end = TrainingTime(step=1, max_steps=1)
    scale = _term(run.distiller, ClassifierDiversityLoss).weight(at_end)
    row: dict[str, Any] = {"run": run.name, "seed": run.seed, "scale": scale}
    for moment, distiller in (("start", _fresh(run)), ("end", run.distiller)):
        task, cd = _norms(run, distiller)
        row[f"CE, {moment}"], row[f"CD, {moment}"] = task, cd
        row[f"ratio, {moment}"] = row["scale"] * cd / task
    return row


def _fresh(run: FinishedRun) -> Distiller:
    torch.manual_seed(run.seed)
    distiller: Any = build_distiller(run.cfg, run.loader("train"))
    distiller.init_weights()
    return distiller.to(get_device()).eval()


def _norms(run: FinishedRun, distiller: Distiller) -> tuple[float, float]:
    """Mean norms of the gradients of CE and of unscaled CD."""
    term = _term(distiller, PeerTaskLoss)
    cd: Any = _cd(distiller)
    if term is None:
        raise UserError(f"diversity_pull: the run {run.name} has no PeerTaskLoss to compare with.")
    task: Any = term.loss
    parameters = list(distiller.student.parameters())
    task_norms, cd_norms = [], []
    for data in run.loader("train"):
        data = distiller.data_preprocessor(data, False)
        batch = SampleBatch(data["inputs"], data["data_samples"], distiller.num_classes)
        seen = {**distiller.source.run(batch.inputs), **distiller.source.functions(batch)}

        def gradients(loss: DistillLoss, seen: dict[str, Any] = seen) -> list[Tensor | None]:
            value: Any = loss(**{name: seen[name] for name in loss.signals})
            return list(
                torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            )

        of_cd, of_task = gradients(cd), gradients(task)
        moved = [index for index, gradient in enumerate(of_cd) if gradient is not None]
        cd_norms.append(_norm([of_cd[index] for index in moved]))
        task_norms.append(_norm([of_task[index] for index in moved]))
    return float(np.mean(task_norms)), float(np.mean(cd_norms))


def _norm(gradients: Sequence[Tensor | None]) -> float:
    return float(torch.stack([value.norm() for value in gradients if value is not None]).norm())


def _draw(canvas: Figure, table: pd.DataFrame) -> None:
    axes = canvas.subplots()
    rows = np.arange(len(table))
    for title, mark in (("deployed", "o"), ("branches", "|"), ("ensemble", "D")):
        axes.plot(table[title], rows, mark, label=title, ms=9 if mark == "|" else 5)
    style.rows(axes, list(table["run"]))
    axes.set_xlabel("top-1, %")
    axes.legend(frameon=False)
    style.tidy(axes, "x")
