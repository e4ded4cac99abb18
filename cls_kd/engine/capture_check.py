"""Parts of a training step that a CUDA graph cannot capture; looked at without a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch.optim import SGD, Adam, AdamW

from cls_kd.adapters.internals import accumulates, scales_losses
from cls_kd.core.fast_pass import is_compiled
from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.core.teacher import Teacher
from cls_kd.core.terms import Term
from cls_kd.distillers import Distiller
from cls_kd.signals import VOCABULARY
from cls_kd.signals.heads import takes_labels_at_once
from cls_kd.signals.vocabulary import CALLABLES

_OPTIMIZERS = (SGD, Adam, AdamW)


def obstacles(
    distiller: Distiller, wrapper: Any, cfg: Config, *, device: str, processes: int
) -> list[str]:
    """The parts of a training that cannot be captured, and why; empty where all parts can.

    Args:
        distiller: The model.
        wrapper: Of its optimizer.
        cfg: The config of the run.
        device: Type of the device that it trains on.
        processes: Number of processes that train together.

    Returns:
        Each as part of a sentence: ``"the loss 'ps' (asks for `epoch`, a number of the host)"``.
    """
    return [
        *_of_device(cfg, device, processes),
        *(text for name, term in distiller.terms.items() for text in _of_loss(name, term)),
        *_of_teachers(distiller),
        *_of_data(distiller),
        *_of_optimizer(wrapper),
        *_of_schedules(cfg),
    ]


def _of_device(cfg: Config, device: str, processes: int) -> Iterator[str]:
    if device != "cuda":
        yield f"the device ({device}: CUDA graphs are NVIDIA's)"
    if processes > 1:
        yield f"the {processes} processes (gradients are exchanged by DistributedDataParallel)"
    if cfg.get("compile"):
        yield "compile (torch.compile has CUDA graphs of its own: mode='reduce-overhead')"


def _of_loss(name: str, term: Term) -> Iterator[str]:
    loss = term.loss
    numbers = [signal for signal in loss.signals if _is_number(signal)]
    if numbers:
        yield f"the loss {name!r} (asks for `{numbers[0]}`, a number of the host)"
    elif loss.host_bound:
        yield f"the loss {name!r} ({loss.host_bound})"


def _is_number(signal: str) -> bool:
    return signal not in CALLABLES and VOCABULARY[signal].shape.startswith(("int", "float"))


def _of_teachers(distiller: Distiller) -> Iterator[str]:
    for index, teacher in enumerate(distiller.teachers):
        if isinstance(teacher, StoredTeacher):
            yield f"teacher {index} (its outputs are stored, and the host reads them)"
        elif not isinstance(teacher, Teacher):
            yield f"teacher {index} (a {type(teacher).__name__} is more than a pass of a network)"
        elif getattr(teacher, "train_mode", False):
            yield f"teacher {index} (runs in training mode)"
        elif is_compiled(teacher):
            yield f"teacher {index} (is compiled)"


def _of_data(distiller: Distiller) -> Iterator[str]:
    preprocessor = distiller.data_preprocessor
    if getattr(preprocessor, "batch_augments", None) or getattr(preprocessor, "to_onehot", False):
        yield "the data preprocessor (mixes labels)"
    asked = {signal for term in distiller.terms.values() for signal in term.loss.signals}
    if "student_criterion" in asked and not takes_labels_at_once(distiller.student):
        yield "the student's head (its loss takes a list of samples)"


def _of_optimizer(wrapper: Any) -> Iterator[str]:
    kind = type(wrapper).__name__
    if type(wrapper) not in (OptimWrapper, AmpOptimWrapper):
        yield f"the optimizer wrapper ({kind} steps in a way of its own)"
        return
    if accumulates(wrapper):
        yield "the optimizer wrapper (accumulates gradients)"
    if wrapper.clip_grad_kwargs:
        yield "the optimizer wrapper (clips gradients, whose norm the host reads)"
    if scales_losses(wrapper):
        yield "the optimizer wrapper (scales losses for float16: bfloat16 needs no scaling)"
    if type(wrapper.optimizer) not in _OPTIMIZERS:
        kinds = ", ".join(optimizer.__name__ for optimizer in _OPTIMIZERS)
        yield f"the optimizer ({type(wrapper.optimizer).__name__}; {kinds} can be)"


def _of_schedules(cfg: Config) -> Iterator[str]:
    schedulers = cfg.get("param_scheduler") or []
    for scheduler in [schedulers] if isinstance(schedulers, Mapping) else schedulers:
        kind = getattr(scheduler.get("type"), "__name__", str(scheduler.get("type")))
        if not kind.rpartition(".")[2].endswith("LR"):
            yield f"param_scheduler ({kind} changes more than the learning rate)"
