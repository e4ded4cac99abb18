"""Both networks on a split: accuracy, agreement, confidence, stages, and what the teacher sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cls_kd.analyses.diagnosis.measures import (
    ClassFigures,
    NetworkFigures,
    SplitFigures,
    TeacherFacts,
)
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.distillers.images import read_normalization
from cls_kd.errors import UserError
from cls_kd.evaluation.agreement import accuracy, agreement, class_counts
from cls_kd.evaluation.similarity import LinearCKA
from cls_kd.evaluation.temperatures import confidence_at
from cls_kd.evaluation.transfer_gap import class_recall
from cls_kd.runs import CONFIG, RESULT, read_config
from cls_kd.signals.taps import find_taps

TOP1 = "accuracy/top1"


@dataclass
class Observed:
    """Both networks on the images of one split.

    Attributes:
        logits: By ``student`` and ``teacher``, (N, K) each.
        labels: (N,).
        similarity: Of both networks' stages, where they have some.
        pixels: Sum, sum of squares and number of the teacher's pixels by channel, (3, C).
    """

    logits: dict[str, Tensor]
    labels: Tensor
    similarity: LinearCKA | None = None
    pixels: Tensor | None = None


def observe(run: FinishedRun, split: Split, images: int | None) -> Observed:
    """Run both networks over a split once; nothing larger than logits is kept."""
    roles = ["student", "teacher"] if run.distiller.teachers else ["student"]
    names = [*(f"{role}_logits" for role in roles), "labels", "inputs"]
    similarity = LinearCKA() if len(roles) == 2 and have_stages(run) else None
    if similarity is not None:
        names += ["student_stages", "teacher_stages"]
    gathered: dict[str, list[Tensor]] = {name: [] for name in names[: len(roles) + 1]}
    pixels: Tensor | None = None
    for seen in run.batches(split, names, images=images):
        for name, tensors in gathered.items():
            tensors.append(seen[name])
        if len(roles) == 2:
            moments = _moments(run.distiller.teachers[0].normalize_inputs(seen["inputs"]))
            pixels = moments if pixels is None else pixels + moments
        if similarity is not None:
            similarity.update(seen["student_stages"], seen["teacher_stages"])
    joined = {name: torch.cat(tensors).cpu() for name, tensors in gathered.items()}
    logits = {role: joined[f"{role}_logits"] for role in roles}
    return Observed(logits, joined["labels"], similarity, pixels)


def have_stages(run: FinishedRun) -> bool:
    """True if both networks know where their stages are."""
    distiller, teacher = run.distiller, run.distiller.teachers[0]
    if not hasattr(teacher, "network"):
        return False
    networks = [
        (distiller.student, run.cfg.model.get("student_taps")),
        (teacher.network, teacher.taps),
    ]
    return all("stages" in _known_taps(network, taps) for network, taps in networks)


def _known_taps(network: Any, taps: Any) -> Mapping[str, Any]:
    try:
        return find_taps(network, taps)
    except UserError:
        return {}


def _moments(inputs: Tensor) -> Tensor:
    values = inputs.double()
    return torch.stack(
        [
            values.sum((0, 2, 3)),
            values.square().sum((0, 2, 3)),
            torch.full_like(values[0, :, 0, 0], values[:, 0].numel()),
        ]
    )


def split_figures(
    observed: Observed, temperatures: Iterable[float], names: Sequence[str] | None
) -> SplitFigures:
    """Figures of both networks on a split.

    Args:
        observed: From `observe`.
        temperatures: At which confidence is measured.
        names: Names of the classes. Default: their numbers.
    """
    labels, logits = observed.labels, observed.logits
    chosen = sorted(set(temperatures))
    figures = {
        role: NetworkFigures(
            accuracy(values, labels), [confidence_at(values, labels, value) for value in chosen]
        )
        for role, values in logits.items()
    }
    if "teacher" not in logits:
        return SplitFigures(len(labels), figures["student"])
    return SplitFigures(
        len(labels),
        figures["student"],
        figures["teacher"],
        agreement(logits["student"], logits["teacher"]),
        _classes(logits, labels, names),
    )


def _classes(
    logits: Mapping[str, Tensor], labels: Tensor, names: Sequence[str] | None
) -> list[ClassFigures]:
    images, differ = class_counts(logits["student"], logits["teacher"], labels)
    recalls = {
        role: (100 * class_recall(values.argmax(1), labels, len(images))).tolist()
        for role, values in logits.items()
    }
    order = differ.argsort(descending=True, stable=True).tolist()
    return [
        ClassFigures(
            names[index] if names else str(index),
            int(images[index]),
            int(differ[index]),
            recalls["student"][index],
            recalls["teacher"][index],
        )
        for index in order
        if images[index]
    ]


def teacher_facts(run: FinishedRun, observed: Observed) -> TeacherFacts | None:
    """Facts of the teacher on the training split; None without a teacher."""
    if observed.pixels is None:
        return None
    teacher = run.distiller.teachers[0]
    total, squares, count = observed.pixels.cpu()
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    used = teacher.normalization or read_normalization(run.distiller.data_preprocessor)
    known = _recorded(run)
    return TeacherFacts(teacher.note, mean.tolist(), deviation.tolist(), dict(used), **known)


def _recorded(run: FinishedRun) -> dict[str, Any]:
    """Facts in the folder of the teacher's own run."""
    teachers = run.cfg.model.teacher
    config = teachers if isinstance(teachers, Mapping) else teachers[0]
    weights = config.get("weights")
    source = weights.get("source") if isinstance(weights, Mapping) else weights
    file = Path(str(source)).expanduser()
    folder = file.parent
    if not file.is_file() or not all((folder / name).is_file() for name in (RESULT, CONFIG)):
        return {}
    result = json.loads((folder / RESULT).read_text())
    metrics = result.get("test") or (result.get("val") or [{}])[-1]
    cfg = read_config(folder / CONFIG)
    preprocessor = cfg.model.get("data_preprocessor") or cfg.get("data_preprocessor") or {}
    stated = {"mean": preprocessor.get("mean"), "std": preprocessor.get("std")}
    to_rgb = bool(preprocessor.get("to_rgb", False))
    return {
        "recorded_accuracy": metrics.get(TOP1),
        "recorded_normalization": {**stated, "to_rgb": to_rgb} if stated["mean"] else None,
    }
