"""Evaluation: a student from its checkpoint, or teachers, during training and outside of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import set_random_seed
from mmengine.runner.loops import TestLoop, ValLoop
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from cls_kd import core
from cls_kd.distillers import Distiller
from cls_kd.distillers.distiller import build_teacher
from cls_kd.distillers.weights import load_weights
from cls_kd.engine.compat import amp_dtype, prepare_process
from cls_kd.engine.loaders import build_loader, check_labels, class_names, image_shape
from cls_kd.engine.probe_loop import ProbeTestLoop, ProbeValLoop
from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss, KDLoss, TaskLoss

Split = Literal["val", "test"]

Step = Callable[[Any], list[DataSample]]
"""A batch of data to predictions."""

Log = Callable[[str], None]
"""Where a line of progress goes."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one network on one split.

    Attributes:
        note: Where the network comes from.
        images: Length of the data set.
        metrics: As the config's evaluator gives them.
    """

    note: str
    images: int
    metrics: dict[str, Any]


def evaluate_student(
    cfg: Config, checkpoint: str, split: Split = "test", *, amp: bool = False
) -> Evaluation:
    """Metrics of a run's student with the weights of a checkpoint.

    Args:
        cfg: Config of one run; a teacher in it is not built.
        checkpoint: Of ours, or a plain one of the same network; every key must match.
        split: Which data and evaluator of the config.
        amp: In half precision.

    Raises:
        UserError: The config, the data and the weights do not fit together.
    """
    loader = _prepare(cfg, split)
    distiller = _distiller(cfg, loader, {"ce": TaskLoss()})
    note = load_weights(distiller.student, checkpoint)
    step: Any = distiller.val_step
    return _evaluate(cfg, distiller, step, loader, split, note, amp)


def evaluate_teachers(
    cfg: Config, checkpoint: str | None = None, split: Split = "test", *, amp: bool = False
) -> list[Evaluation]:
    """Metrics of each of a run's teachers.

    Args:
        cfg: Config of one run.
        checkpoint: Weights in place of those that the config names, where there is one teacher.
        split: Which data and evaluator of the config.
        amp: In half precision.

    Raises:
        UserError: There is no teacher, or something does not fit.
    """
    teachers = cfg.model.get("teacher") or []
    teachers = [teachers] if isinstance(teachers, Mapping) else list(teachers)
    if not teachers:
        raise UserError("This run has no teacher: its model.teacher is not set.")
    if checkpoint is not None:
        if len(teachers) > 1:
            raise UserError(f"One checkpoint cannot be for {len(teachers)} teachers: leave it out.")
        teachers = [{**teachers[0], "weights": checkpoint}]
    loader = _prepare(cfg, split)
    # A loss that asks for logits, so that each teacher's are compared with the student's.
    asking = {"ce": TaskLoss(), "kd": KDLoss()}
    distiller = _distiller(
        cfg, loader, asking, [build_teacher(_without_store(teacher)) for teacher in teachers]
    )
    return [
        _evaluate(cfg, distiller, teacher_step(distiller, index), loader, split, teacher.note, amp)
        for index, teacher in enumerate(distiller.teachers)
    ]


def _prepare(cfg: Config, split: Split) -> DataLoader:
    prepare_process(cfg.get("default_scope", "cls_kd"))
    set_random_seed(cfg.randomness.seed)
    if "student" not in cfg.get("model", {}):
        raise UserError("The config has no model.student: it is not a config of this project.")
    for key in (f"{split}_dataloader", f"{split}_evaluator"):
        if not cfg.get(key):
            raise UserError(f"The config has no {key}, so there is nothing to evaluate on.")
    return build_loader(cfg, f"{split}_dataloader")


def _distiller(
    cfg: Config,
    loader: DataLoader,
    losses: Mapping[str, DistillLoss],
    teachers: list[core.Teacher] | None = None,
) -> Distiller:
    model = cfg.model
    return Distiller(
        model.student,
        losses,
        teachers,
        input_shape=image_shape(loader.dataset),
        classes=model.get("classes", class_names(loader.dataset)),
        data_preprocessor=model.get("data_preprocessor", cfg.get("data_preprocessor")),
    )


def _without_store(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a teacher that is to be measured itself."""
    return {key: value for key, value in config.items() if key not in ("type", "store")}


def _evaluate(
    cfg: Config,
    distiller: Distiller,
    step: Step,
    loader: DataLoader,
    split: Split,
    note: str,
    amp: bool,
) -> Evaluation:
    check_labels(loader, distiller.num_classes, split)
    distiller.to(get_device()).eval()
    metrics = cfg[f"{split}_evaluator"]
    evaluator = Evaluator(metrics if isinstance(metrics, list) else [metrics])
    evaluator.dataset_meta = getattr(loader.dataset, "metainfo", None)
    with torch.autocast(get_device(), dtype=amp_dtype(), enabled=amp):
        values = evaluate(step, loader, evaluator, _say_on_main)
    images = len(cast(Sized, loader.dataset))
    return Evaluation(note, images, {key: _plain(values[key]) for key in values})


def _say_on_main(line: str) -> None:
    if is_main_process():
        print(line, file=sys.stderr)


def _plain(value: Any) -> Any:
    """A figure as JSON writes it: a float, or a list where a metric gives one for each class."""
    return np.asarray(value, dtype=float).tolist()


def evaluate_teacher(
    loop: ValLoop | TestLoop, distiller: Distiller, index: int = 0, log: Log | None = None
) -> dict[str, float]:
    """Metrics of one teacher on a loop's data, with the loop's own evaluator or probes.

    Args:
        loop: The runner's validation or test loop.
        distiller: The distiller that holds the teacher.
        index: Which teacher.
        log: See ``evaluate``.
    """
    if isinstance(loop, ProbeValLoop | ProbeTestLoop):
        return loop.data.of_teacher(index)
    metrics = evaluate(teacher_step(distiller, index), loop.dataloader, loop.evaluator, log)
    return {name: float(value) for name, value in metrics.items()}


def teacher_metrics(
    loop: ValLoop | TestLoop, distiller: Distiller, index: int = 0, log: Log | None = None
) -> dict[str, float]:
    """As ``evaluate_teacher``; of a teacher whose outputs are stored, measured once."""
    stored = getattr(distiller.teachers[index], "metrics", None)
    if stored is None:
        return evaluate_teacher(loop, distiller, index, log)
    # What the main process reads, so that all processes measure or none does.
    known = [stored.read() if is_main_process() else None]
    broadcast_object_list(known)
    if known[0] is not None:
        return known[0]
    metrics = evaluate_teacher(loop, distiller, index, log)
    if is_main_process():
        stored.write(metrics)
    return metrics


def teacher_step(distiller: Distiller, index: int) -> Step:
    """``distiller.teacher_step`` of one teacher."""
    return lambda batch: distiller.teacher_step(batch, index)


@torch.no_grad()
def evaluate(
    step: Step, loader: DataLoader, evaluator: Evaluator, log: Log | None = None
) -> dict[str, Any]:
    """An evaluator's metrics of what ``step`` predicts on all batches, of all processes.

    Args:
        step: A batch of data to predictions.
        loader: The batches.
        evaluator: With its metrics.
        log: Called every 10 s with the progress and the remaining time. Default: none.
    """
    for batch in with_remaining_time(loader, log) if log else loader:
        evaluator.process(data_samples=step(batch), data_batch=batch)
    return evaluator.evaluate(len(cast(Sized, loader.dataset)))


def with_remaining_time(loader: DataLoader, log: Log, seconds: float = 10.0) -> Iterator[Any]:
    """The batches of ``loader``; ``log`` gets a line whenever ``seconds`` have passed."""
    started = last = time.monotonic()
    for done, batch in enumerate(loader):
        now = time.monotonic()
        if done and now - last >= seconds:
            last = now
            left = (now - started) / done * (len(loader) - done)
            log(f"{done} of {len(loader)} batches, {left:.0f} s left")
        yield batch
