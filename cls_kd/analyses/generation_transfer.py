"""Linear transfer of the embeddings of generations to other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.analyses.generation_scores import (
    compared_scores,
    draw_lines,
    note_on_gains,
    scores_of_all,
    seed_count,
)
from cls_kd.engine.loaders import innermost
from cls_kd.evaluation.transfer import linear_transfer
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section


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
    scores = scores_of_all(runs, lambda line: [_transferred(run, train, test) for run in line])
    table = compared_scores(scores, baseline).reset_index()
    notes = [
        "Accuracy in percent, on the other data, of a logistic regression on the frozen, "
        f"standardized embedding: mean and standard deviation over {seed_count(scores)}.",
        note_on_gains(baseline),
    ]
    label = "accuracy on the other data (%)"
    return Section(
        "generation_transfer",
        "Transfer of the embedding",
        table,
        notes,
        lambda canvas: draw_lines(canvas.subplots(), scores, "accuracy", label),
        size=(6.0, 4.2),
    )


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
