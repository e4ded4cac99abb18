"""The distiller: the straight pipe between what networks provide and what losses ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd.distillers.networks import NetworkConfig, build_network, build_with_weights
from cls_kd.distillers.teacher import Teacher
from cls_kd.errors import UserError, did_you_mean
from cls_kd.losses.base import DistillLoss
from cls_kd.registry import MODELS
from cls_kd.signals import VOCABULARY, Batch, NetworkSource, ShapeFacts, check_names
from cls_kd.signals.shapes import Shape

Losses = dict[str, Tensor]
TeacherConfig = Mapping[str, Any] | Teacher


@MODELS.register_module()
class Distiller(BaseModel):
    """Trains a student with losses that ask for signals; validation and test see the student only.

    At build, once: what all losses ask for is collected, the rest is dropped (a teacher of whom
    nothing is asked never runs), places are looked up in the networks, one dry pass measures every
    shape, and the losses build their connectors from these. ``notes`` says in words where student
    and teachers come from.

    Args:
        student: Config or name of a classifier (see ``distillers.networks``).
        losses: Name to the config of a loss; the name stands in the log. Cross-entropy is one of
            them: ``ce=dict(type='TaskLoss')``.
        teacher: Config of a ``Teacher``, or a list of such configs; None where no loss needs one.
        input_shape: Shape of one image, ``(3, 224, 224)``; the engine fills it from the data.
        num_samples: Length of the training set, for losses with a memory bank; the engine fills it.
        student_weights: What the student starts from, as a teacher's ``weights``. Default: its own
            initialisation.
        student_taps: Places that differ from what the student declares (see ``signals.taps``).
        data_preprocessor: Config as of mmpretrain's; its default type is ``BatchPreprocessor``.
        init_cfg: MMEngine's.

    Raises:
        UserError: A loss asks for something that does not exist or that these networks have not.
    """

    def __init__(
        self,
        student: NetworkConfig | nn.Module,
        losses: Mapping[str, Mapping[str, Any] | DistillLoss],
        teacher: TeacherConfig | Sequence[TeacherConfig] | None = None,
        *,
        input_shape: Sequence[int] | None = None,
        num_samples: int | None = None,
        student_weights: str | Mapping[str, Any] | None = None,
        student_taps: Mapping[str, str | tuple[str, ...]] | None = None,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(_build_preprocessor(data_preprocessor), init_cfg)
        self.losses = _build_losses(losses)
        self.notes: list[str] = []
        self.student = self._build_student(student, student_weights)
        # A plain list: outside parameters(), state_dict(), DDP and copies.
        self.teachers = _build_teachers(teacher)
        self._teacher_of = {name: self._choose(name, loss) for name, loss in self.losses.items()}
        self._listen(student_taps)
        for one in self.teachers:
            one.match(self.data_preprocessor)
            self.notes.append(f"Teacher: {one.note}")
        self._measure(input_shape, num_samples)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = "tensor",
        pair_inputs: Tensor | None = None,
    ) -> Any:
        """``mode='loss'`` gives the weighted losses by name; any other is the student's own."""
        if mode == "loss":
            return self.loss(inputs, data_samples or [], pair_inputs)
        return self.student(inputs, data_samples, mode)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample], pair_inputs: Tensor | None = None
    ) -> Losses:
        """Every term of every loss, weighted: ``{'ce.loss': ..., 'nkd.loss_target': ...}``."""
        batch = Batch(inputs, data_samples, self.num_classes, pair_inputs)
        student = {**self.source.run(inputs), **self.source.functions(data_samples)}
        student |= self.source.on_pairs(batch)
        teachers = [{**one(inputs), **one.source.functions(data_samples)} for one in self.teachers]
        time = (batch.progress, batch.epoch, batch.max_epochs)
        terms: Losses = {}
        for name, loss in self.losses.items():
            see = _Provider(batch, student, teachers, self._teacher_of[name])
            value = loss(**{signal: see(signal) for signal in loss.signals})
            terms.update(_weighted(name, value, loss.schedule(*time)))
        return terms

    def teacher_step(self, data: Any, place: int = 0) -> list[DataSample]:
        """As ``val_step``, by a teacher: its predictions on a batch of data."""
        data = self.data_preprocessor(data, False)
        one = self.teachers[place]
        return one.network(one.see(data["inputs"]), data["data_samples"], mode="predict")

    def compile_networks(self, **options: Any) -> None:
        """``torch.compile`` the student's and the teachers' bodies; losses stay as they are."""
        for network in (self.student, *(one.network for one in self.teachers)):
            body = getattr(network, "backbone", None) or getattr(network, "model", None) or network
            body.compile(**options)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Distiller:
        for one in self.teachers:
            one._apply(fn)
        return super()._apply(fn, recurse)

    def _build_student(
        self, student: NetworkConfig | nn.Module, weights: str | Mapping[str, Any] | None
    ) -> nn.Module:
        if weights is None:
            return build_network(student)
        built, note = build_with_weights(student, weights)
        self.notes.append(f"Student: {note}")
        return built

    def _choose(self, name: str, loss: DistillLoss) -> int | None:
        """Which teacher a loss listens to; None is all of them, averaged."""
        check_names(loss.signals, f"The loss {name!r} ({type(loss).__name__})")
        wanted = [signal for signal in loss.signals if VOCABULARY[signal].provider == "teacher"]
        if loss.teacher is not None:
            return _place(loss.teacher, self.teachers, name)
        if not wanted:
            return 0
        if not self.teachers:
            raise UserError(
                f"The loss {name!r} asks for {wanted[0]!r}, and there is no teacher: give the "
                "distiller teacher=dict(network=..., weights=...)."
            )
        if len(self.teachers) == 1:
            return 0
        others = [signal for signal in wanted if signal != "teacher_logits"]
        if others:
            raise UserError(
                f"The loss {name!r} asks for {others[0]!r} of {len(self.teachers)} teachers; only "
                "logits can be averaged: say which one, teacher=0 or teacher='name'."
            )
        return None

    def _listen(self, student_taps: Mapping[str, Any] | None) -> None:
        names = {name: set(loss.signals) for name, loss in self.losses.items()}
        every = set().union(*names.values())
        self.source = NetworkSource("student", self.student, every, student_taps)
        for place, one in enumerate(self.teachers):
            heard = [names[name] for name, at in self._teacher_of.items() if at in (place, None)]
            one.listen(set().union(*heard))
            if not one.source.tensors and not one.source.callables:
                self.notes.append(f"No loss asks anything of teacher {place}: it never runs.")

    def _measure(self, input_shape: Sequence[int] | None, num_samples: int | None) -> None:
        if input_shape is None:
            raise UserError(
                "The distiller does not know the shape of its inputs: give input_shape=(3, H, W). "
                "(tools/train.py takes it from the training data.)"
            )
        inputs = torch.zeros(1, *input_shape)
        student = self.source.measure(inputs)
        teachers = [_measure_teacher(one, inputs) for one in self.teachers]
        self.num_classes = int(student["student_logits"][-1])  # type: ignore[arg-type]
        for place, shapes in enumerate(teachers):
            _check_classes(place, shapes, self.num_classes)
        for name, loss in self.losses.items():
            # The first stands for the mean: it has the same shape.
            heard = teachers[self._teacher_of[name] or 0] if teachers else {}
            loss.build(ShapeFacts({**student, **heard}, self.num_classes, num_samples))


class _Provider:
    """Finds one signal of this step for one loss."""

    def __init__(
        self,
        batch: Batch,
        student: Mapping[str, Any],
        teachers: Sequence[Mapping[str, Any]],
        teacher: int | None,
    ) -> None:
        self.batch, self.student, self.teachers, self.teacher = batch, student, teachers, teacher

    def __call__(self, name: str) -> Any:
        provider = VOCABULARY[name].provider
        if provider == "student":
            return self.student[name]
        if provider == "teacher":
            if self.teacher is not None:
                return self.teachers[self.teacher][name]
            return torch.stack([signals[name] for signals in self.teachers]).mean(dim=0)
        return getattr(self.batch, name)


def _build_losses(losses: Mapping[str, Mapping[str, Any] | DistillLoss]) -> Any:
    if not losses:
        raise UserError("The distiller has no loss: give losses=dict(ce=dict(type='TaskLoss')).")
    built = {}
    for name, loss in losses.items():
        _check_loss_name(name)
        built[name] = loss if isinstance(loss, nn.Module) else _build_loss(name, loss)
        if not isinstance(built[name], DistillLoss):
            raise UserError(f"The loss {name!r} is a {type(built[name]).__name__}, no DistillLoss.")
    return nn.ModuleDict(built)


def _check_loss_name(name: str) -> None:
    # 'loss' in a key of the log marks what is summed; the rest is what a ModuleDict cannot hold.
    if not name or "." in name or "loss" in name or hasattr(nn.ModuleDict, name):
        raise UserError(
            f"A loss cannot be named {name!r}: call it after its method, such as 'kd', without a "
            "dot and without the word 'loss'."
        )


def _build_loss(name: str, config: Mapping[str, Any]) -> nn.Module:
    kind = config.get("type")
    if kind is None:
        raise UserError(f"The loss {name!r} says no type, such as type='KDLoss'.")
    if isinstance(kind, str) and MODELS.get(kind) is None:
        raise UserError(f"The loss {name!r} has the unknown type {kind!r}.{_known_losses(kind)}")
    try:
        return MODELS.build(dict(config))
    except TypeError as error:
        raise UserError(f"The loss {name!r} cannot be built: {error}") from error


def _known_losses(kind: str) -> str:
    classes = MODELS.module_dict.items()
    losses = [
        name for name, kind in classes if isinstance(kind, type) and issubclass(kind, DistillLoss)
    ]
    return did_you_mean(kind.rsplit(".", 1)[-1], losses)


def _build_teachers(
    teacher: TeacherConfig | Sequence[TeacherConfig] | None,
) -> list[Teacher]:
    configs = [teacher] if isinstance(teacher, Mapping | Teacher) else list(teacher or ())
    return [
        config if isinstance(config, Teacher) else MODELS.build({"type": Teacher, **config})
        for config in configs
    ]


def _place(teacher: int | str, teachers: Sequence[Teacher], name: str) -> int:
    names = [one.name or str(place) for place, one in enumerate(teachers)]
    place = teacher if isinstance(teacher, int) else None
    if teacher in names:
        place = names.index(str(teacher))
    if place is None or not 0 <= place < len(teachers):
        raise UserError(
            f"The loss {name!r} wants teacher {teacher!r}; there are {len(teachers)}: "
            f"{', '.join(names) or 'none'}."
        )
    return place


def _measure_teacher(teacher: Teacher, inputs: Tensor) -> dict[str, Shape | tuple[Shape, ...]]:
    # A teacher of whom nothing is asked is not measured; its classes do not matter either.
    used = teacher.source.tensors or teacher.source.callables
    return teacher.source.measure(teacher.see(inputs)) if used else {}


def _check_classes(place: int, shapes: Mapping[str, Any], num_classes: int) -> None:
    logits = shapes.get("teacher_logits", (num_classes,))
    if logits[-1] != num_classes:
        raise UserError(
            f"Teacher {place} has {logits[-1]} classes, the student has {num_classes}: they must "
            "be trained on the same classes."
        )


def _weighted(name: str, value: Tensor | dict[str, Tensor], weight: float) -> Losses:
    terms = value if isinstance(value, dict) else {"loss": value}
    if not any("loss" in key for key in terms):
        raise UserError(f"The loss {name!r} returned {', '.join(terms)}: no key holds 'loss'.")
    return {
        f"{name}.{key}": term * weight if "loss" in key else term.detach()
        for key, term in terms.items()
    }


def _build_preprocessor(preprocessor: Mapping[str, Any] | nn.Module | None) -> nn.Module:
    if isinstance(preprocessor, nn.Module):
        return preprocessor
    return MODELS.build({"type": "BatchPreprocessor", **(preprocessor or {})})
