"""The distiller: connects the signals of networks and batches to the losses that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cls_kd.core.fast_pass import body_of, is_compiled, notes_of, set_layout
from cls_kd.core.lookup import Lookup, of_each_teacher, wanted_by
from cls_kd.core.teacher import Teacher
from cls_kd.core.teacher_protocol import TeacherProtocol, check_module
from cls_kd.core.terms import (
    LossConfig,
    Term,
    build_loss,
    build_terms,
    choose_teacher,
    weighted,
)
from cls_kd.errors import UserError
from cls_kd.signals import Batch, NetworkSource, SignalShapes, TrainingTime
from cls_kd.signals.batch import Mixture
from cls_kd.signals.heads import direct_criterion_of
from cls_kd.signals.network import Indices
from cls_kd.signals.vocabulary import OF_ALL_TEACHERS

Losses = dict[str, Tensor]
TeacherLike = nn.Module | TeacherProtocol


class Distiller(nn.Module):
    """A student, its frozen teachers, and the losses that train the student.

    At construction, once: the signals that all losses ask for are collected, hooks are attached
    where a signal needs one, a forward pass measures every shape, and the losses build their
    connectors from the shapes. A teacher of whom nothing is asked never runs. ::

        distiller = Distiller(student, dict(ce=TaskLoss(), kd=KDLoss(temperature=4.0)), teacher,
                              input_shape=(3, 32, 32))
        optimizer = torch.optim.SGD(distiller.parameters(), lr=0.05)
        for images, labels in loader:
            loss = distiller.total(distiller.loss(images, labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    ``parameters()`` and ``state_dict()`` contain the student and what the losses learn or remember,
    and nothing of the teachers. Losses and weight schedules that depend on the training time read
    ``distiller.time``: assign ``time.epoch``, ``time.step`` and so on in your loop. Under
    ``DistributedDataParallel`` call the wrapped module itself, ``ddp(images, labels)``.

    Args:
        student: Any classifier: a module that gives logits (N, K), or an output with ``logits``.
        losses: Name to a loss, a `Term` (a loss with a weight and a teacher), or a config such as
            ``dict(type='KDLoss', temperature=4.0, weight=0.9)``. The names stand in the log.
        teacher: A trained network, a `Teacher`, or a list of these. Default: none.
        input_shape: Shape of one image, ``(3, 224, 224)``.
        num_samples: Length of the training set, for losses with a memory bank. Default: unknown.
        classes: Names of the classes in the order of the labels, for a teacher with other classes.
        normalization: ``dict(mean=..., std=..., to_rgb=...)`` of the images that the student sees,
            for a teacher with another normalization. Default: as the teacher's.
        student_taps: Places of signals that differ from what the student declares (see
            `cls_kd.signals.taps`).
        student_channels_last: Keep the student's maps in memory with the channels last, which is
            faster for many convolutional networks and changes rounding. Default: False.
        direct_cross_entropy: Compute the student's own loss by PyTorch's cross-entropy where that
            is what its head computes for hard labels: fewer operations, other rounding. Default:
            False.

    Raises:
        UserError: A loss asks for something that does not exist or that these networks lack.
    """

    student: nn.Module

    def __init__(
        self,
        student: nn.Module,
        losses: Mapping[str, LossConfig],
        teacher: TeacherLike | Sequence[TeacherLike] | None = None,
        *,
        input_shape: Sequence[int],
        num_samples: int | None = None,
        classes: Sequence[str] | None = None,
        normalization: Mapping[str, Any] | None = None,
        student_taps: Mapping[str, str | tuple[str, ...]] | None = None,
        student_channels_last: bool = False,
        direct_cross_entropy: bool = False,
    ) -> None:
        super().__init__()
        check_module("student", student)
        if student_channels_last:
            set_layout(student, channels_last=True)
        teachers = _as_teachers(teacher, student)
        if normalization is not None:
            for item in teachers:
                item.match(normalization)
        self._connect(build_terms(losses, build_loss), student, teachers, student_taps)
        if direct_cross_entropy:
            self.source.criterion = direct_criterion_of
        self._measure(input_shape, num_samples, classes)

    def forward(self, images: Tensor, labels: Tensor | None = None, **options: Any) -> Any:
        """The student's output; with labels, the terms of `loss`."""
        return self.student(images) if labels is None else self.loss(images, labels, **options)

    def loss(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        index: Tensor | None = None,
        pair_inputs: Tensor | None = None,
        view_inputs: Tensor | None = None,
        mixture: Mixture | None = None,
    ) -> Losses:
        """Every term of every loss, weighted: ``{'ce.loss': ..., 'nkd.loss_target': ...}``.

        Args:
            images: As the student takes them, (N, 3, H, W).
            labels: Class indices (N,), or label distributions (N, K).
            index: Positions of the samples in the data set, (N,), for losses with a memory bank.
            pair_inputs: Another image of each sample's class, (N, 3, H, W), for losses that ask.
            view_inputs: Augmentations of each image, (V, N, 3, H, W), for losses that ask; the
                first of them are ``images``.
            mixture: How the second of them is mixed, for losses that ask
                (`cls_kd.data.mixture_view`).
        """
        batch = Batch(
            images,
            labels,
            self.num_classes,
            index=index,
            pairs=pair_inputs,
            views=view_inputs,
            mixture=mixture,
            time=self.time,
        )
        return self.step(batch)

    @staticmethod
    def total(terms: Mapping[str, Tensor]) -> Tensor:
        """The sum of the terms that count: those with ``loss`` in their names."""
        return torch.stack([value for name, value in terms.items() if "loss" in name]).sum()

    def totals(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The sum of the terms that count in each group, for `cls_kd.optimizers`.

        Args:
            terms: As `loss` returns them.

        Returns:
            ``{'task': ..., 'distillation': ...}``: a sum for each group that has a term.
        """
        groups: dict[str, dict[str, Tensor]] = {}
        for key, value in terms.items():
            group = self.terms[key.partition(".")[0]].group
            groups.setdefault(group, {})[key] = value
        return {group: self.total(values) for group, values in groups.items()}

    def step(self, batch: Batch, weights: Mapping[str, Tensor] | None = None) -> Losses:
        """Every term of every loss on one batch, weighted.

        Args:
            batch: The batch.
            weights: By the losses' names, scalars on the device. Default: by their schedules.
        """
        return self.terms_of(batch, self.student_signals(batch), weights)

    def student_signals(self, batch: Batch) -> dict[str, Any]:
        """The signals of the student that the losses ask for, on one batch, by name."""
        student = {**self.source.on(batch), **self.source.functions(batch)}
        return student | self.source.on_pairs(batch)

    def terms_of(
        self,
        batch: Batch,
        student: Mapping[str, Any],
        weights: Mapping[str, Tensor] | None = None,
    ) -> Losses:
        """Every term of every loss, weighted, for a student that has given its signals.

        Args:
            batch: The batch, which the teachers see.
            student: As `student_signals` returns them.
            weights: See `step`.
        """
        teachers = [teacher(batch) for teacher in self.teachers]
        terms: Losses = {}
        for name, term in self.terms.items():
            lookup = Lookup(batch, student, teachers, self._teacher_index[name])
            value = term.loss(**{signal: lookup(signal) for signal in term.loss.signals})
            weight = term.weight(self.time) if weights is None else weights[name]
            terms.update(weighted(name, value, weight))
        return terms

    def compile_networks(self, **options: Any) -> None:
        """``torch.compile`` the bodies of the student and the teachers; losses stay as they are."""
        compiled = [teacher for teacher in self.teachers if not is_compiled(teacher)]
        networks = [self.student, *(getattr(teacher, "network", None) for teacher in compiled)]
        for network in (network for network in networks if network is not None):
            body_of(network).compile(**options)

    def replace_teachers(
        self, replace: Callable[[int, Any, Mapping[str, Indices]], TeacherProtocol]
    ) -> None:
        """Put teachers of the same signals in the place of the present ones.

        Args:
            replace: Index, teacher and the signals that the losses ask of it to another teacher.
        """
        self.teachers[:] = [
            replace(index, teacher, self._asked[index])
            for index, teacher in enumerate(self.teachers)
        ]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Distiller:
        for teacher in self.teachers:
            if hasattr(teacher, "_apply"):
                teacher._apply(fn)
        return super()._apply(fn, recurse)

    def _connect(
        self,
        terms: Mapping[str, Term],
        student: nn.Module,
        teachers: Sequence[TeacherProtocol],
        student_taps: Mapping[str, str | tuple[str, ...]] | None,
    ) -> None:
        """Attach to the networks what the losses ask for."""
        self.time = TrainingTime()
        self.notes: list[str] = []
        self.terms = dict(terms)
        self.losses = nn.ModuleDict({name: term.loss for name, term in terms.items()})
        self.student = student
        # A plain list: outside parameters(), state_dict(), DDP and copies.
        self.teachers: list[Any] = list(teachers)
        names = [teacher.name or str(index) for index, teacher in enumerate(teachers)]
        self._teacher_index = {
            name: choose_teacher(name, term, names) for name, term in terms.items()
        }
        self.source = NetworkSource("student", student, wanted_by(terms.values()), student_taps)
        self._asked = [self._asked_of(index) for index in range(len(self.teachers))]
        for index, teacher in enumerate(self.teachers):
            teacher.attach(self._asked[index])
            if not teacher.is_asked:
                self.notes.append(f"No loss asks anything of teacher {index}: it never runs.")

    def _asked_of(self, teacher: int) -> dict[str, Indices]:
        """The signals that a teacher has to give, with the indices that are read of tuples."""
        terms = self.terms.items()
        asking = [term for name, term in terms if self._teacher_index[name] in (teacher, None)]
        return of_each_teacher(wanted_by(asking))

    def _measure(
        self,
        input_shape: Sequence[int] | None,
        num_samples: int | None,
        classes: Sequence[str] | None,
    ) -> None:
        """Measure the shapes of all signals and let the losses build their parts."""
        if input_shape is None:
            raise UserError(
                "The distiller does not know the shape of its inputs: give input_shape=(3, H, W). "
                "(The training engine takes it from the training data.)"
            )
        self.classes = classes
        inputs = _zeros(self.student, input_shape)
        student = self.source.measure(inputs)
        self.num_classes = int(student["student_logits"][-1])  # type: ignore[arg-type]
        teachers = [teacher.measure(inputs, classes, self.num_classes) for teacher in self.teachers]
        for index, shapes in enumerate(teachers):
            _check_classes(index, shapes, self.num_classes)
        self.notes += notes_of(self.teachers)
        stacked: dict[str, Any] = {"all_teacher_logits": (len(teachers), self.num_classes)}
        for of_all, of_each in OF_ALL_TEACHERS.items():
            if of_all not in stacked and all(of_each in shapes for shapes in teachers):
                stacked[of_all] = tuple(shapes[of_each] for shapes in teachers)
        for name, term in self.terms.items():
            # The first one stands for the mean: it has the same shape.
            shapes = teachers[self._teacher_index[name] or 0] if teachers else {}
            common = stacked if teachers else {}
            facts = SignalShapes({**student, **shapes, **common}, self.num_classes, num_samples)
            term.loss.build(facts)
        device = inputs.device
        self.losses.to(device)


def _as_teachers(
    teacher: TeacherLike | Sequence[TeacherLike] | None, student: nn.Module
) -> list[Any]:
    if teacher is None:
        return []
    items: list[Any] = list(teacher) if isinstance(teacher, list | tuple) else [teacher]
    teachers = [item if hasattr(item, "attach") else Teacher(item) for item in items]
    learned = {id(parameter) for parameter in student.parameters()}
    for item in teachers:
        network = getattr(item, "network", None)
        if network is not None and learned & {id(value) for value in network.parameters()}:
            raise UserError(
                "The teacher and the student share parameters, and a teacher never learns: give "
                "the distiller a copy, teacher=copy.deepcopy(network)."
            )
    return teachers


def _zeros(network: nn.Module, shape: Sequence[int]) -> Tensor:
    parameter = next(network.parameters(), torch.zeros(()))
    return torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)


def _check_classes(index: int, shapes: Mapping[str, Any], num_classes: int) -> None:
    logits = shapes.get("teacher_logits", (num_classes,))
    if logits[-1] != num_classes:
        raise UserError(
            f"Teacher {index} has {logits[-1]} classes, the student has {num_classes}. A teacher "
            "with other classes needs their names, which are looked up among the student's: give "
            "teacher=dict(..., classes=[...]), or the path of a file with one name per line."
        )
