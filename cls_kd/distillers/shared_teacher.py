"""One frozen teacher for several distillers: it sees each batch once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from cls_kd.adapters.internals import count_writes
from cls_kd.core.teacher_protocol import Shapes, TeacherProtocol
from cls_kd.signals import Batch
from cls_kd.signals.network import VIEWS, Indices


class SharedTeacher:
    """Gives the signals that any of several distillers asks for, in one pass for each batch.

    Distillers that are trained side by side on the same tensors get the same signals as from a
    teacher of their own. A signal that one of them has overwritten is computed again.

    Args:
        teacher: The teacher, on whose device the batches are.
        classes: Names of the student's classes, as the distillers have them.
        num_classes: Number of the student's classes.
        timed: Entered while the teacher sees a batch. Default: nothing.
    """

    def __init__(
        self,
        teacher: TeacherProtocol,
        classes: Sequence[str] | None,
        num_classes: int,
        timed: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.teacher: Any = teacher
        self._classes, self._num_classes = classes, num_classes
        self._timed = timed
        self._names: dict[str, Indices] = {}
        self._is_attached = False
        self._pass: _Pass | None = None

    def ask(self, names: Mapping[str, Indices]) -> None:
        """Let the teacher give these signals too; of tuples, the items at these indices."""
        for name, indices in names.items():
            before = self._names.get(name, frozenset())
            unknown = indices is None or before is None
            self._names[name] = None if unknown else before | frozenset(indices)  # type: ignore
        self._is_attached = False

    def signals(self, batch: Batch) -> dict[str, Any]:
        """The signals of a batch that all distillers together ask for, by name."""
        if not self._is_attached:
            self.teacher.attach(self._names)
            self.teacher.measure(batch.inputs[:1], self._classes, self._num_classes)
            self._is_attached = True
        views = batch.view_inputs if set(self._names) & set(VIEWS) else None
        images = [batch.inputs] if views is None else [batch.inputs, views]
        if self._pass is None or not self._pass.is_of(images):
            self._pass = None  # its memory is free for the next one
            with self._timed():
                self._pass = _Pass(images, self.teacher(batch))
        return dict(self._pass.signals)


class _Pass:
    """The signals of one batch.

    Args:
        images: What the teacher has seen.
        signals: What it has given.
    """

    def __init__(self, images: list[Tensor], signals: dict[str, Any]) -> None:
        self.signals = signals
        self._images = images
        self._precision = _precision(images[0])
        self._writes = self._count_writes()

    def is_of(self, images: list[Tensor]) -> bool:
        """Test for the same tensors, which nobody has written to since, in the same precision."""
        return (
            len(images) == len(self._images)
            and all(seen is other for seen, other in zip(images, self._images, strict=True))
            and self._precision == _precision(images[0])
            and self._writes == self._count_writes()
        )

    def _count_writes(self) -> list[int]:
        return [count_writes(tensor) for tensor in [*self._images, *_tensors(self.signals)]]


class MemberTeacher:
    """A shared teacher as one distiller has it (see `cls_kd.core.TeacherProtocol`).

    Args:
        shared: The shared teacher.
        names: The signals that the distiller's losses ask for.
        replaced: The distiller's own teacher, which is not kept.
    """

    def __init__(
        self, shared: SharedTeacher, names: Mapping[str, Indices], replaced: TeacherProtocol
    ) -> None:
        self.name, self.note, self.is_asked = replaced.name, replaced.note, replaced.is_asked
        self.shared = shared
        if self.is_asked:
            shared.ask(names)

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The signals of a batch, by name."""
        return self.shared.signals(batch) if self.is_asked else {}

    def attach(self, names: Mapping[str, Indices]) -> None:
        """Prepare to give these signals; of tuples, the items at these indices."""
        self.shared.ask(names)

    def match(self, normalization: Mapping[str, Any]) -> None:
        """Prepare for images with the student's normalization."""
        self.shared.teacher.match(normalization)

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Shapes:
        """Shapes of the signals that were asked for, without the batch axis."""
        return self.shared.teacher.measure(inputs, classes, num_classes)

    def digest(self) -> str:
        """Identity: the same as long as its signals are the same."""
        return self.shared.teacher.digest()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "shared":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.shared.teacher, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> MemberTeacher:
        return self


def _precision(tensor: Tensor) -> tuple[bool, torch.dtype]:
    device = tensor.device.type
    return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)


def _tensors(signals: Mapping[str, Any]) -> Iterator[Tensor]:
    for value in signals.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Tensor):
                yield item
