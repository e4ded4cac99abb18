"""A teacher whose logits and embedding come from a store where they are there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cls_kd.core.stored_rows import Column, StoredRows
from cls_kd.core.teacher_identity import identity
from cls_kd.core.teacher_protocol import Shapes, TeacherProtocol
from cls_kd.errors import UserError
from cls_kd.signals import VOCABULARY, Batch
from cls_kd.signals.network import Indices
from cls_kd.teacher_store import (
    STORED_SIGNALS,
    Addressing,
    StoredMetrics,
    StoreOptions,
    build_codec,
    open_folder,
)
from cls_kd.teacher_store.folder import check_size, check_space
from cls_kd.teacher_store.rows import RowFile

SMALLEST_BATCH = 2
"""Smaller batches are neither stored nor replayed: kernels for one image round in another way."""


class StoredTeacher(nn.Module):
    """A teacher that computes each row once; what is stored is replayed.

    It stands in front of any teacher. Until ``open`` is called it is that teacher. A batch of which
    a row is missing is computed whole, and its missing rows are stored; rows that are there are
    used as they are, so that a training gives the same result whether it stores or replays. The
    teacher's network is moved to the device when it is first needed there.

    Args:
        teacher: The teacher.
        options: Where and how its outputs are stored.

    Attributes:
        key: The key of its store, once that is known.
        rows: The rows, once the store is open.
        metrics: The teacher's metrics on validation data, if the store is to hold them.
    """

    def __init__(self, teacher: TeacherProtocol, options: StoreOptions) -> None:
        super().__init__()
        self._wrapped: list[Any] = [teacher]  # no submodule, like the teachers of a distiller
        self._moves: list[Callable[[Tensor], Tensor]] = []
        self.options = options
        self.addressing: Addressing | None = None
        self.key: dict[str, Any] | None = None
        self.rows: StoredRows | None = None
        self.metrics: StoredMetrics | None = None

    @property
    def teacher(self) -> Any:
        """The teacher itself."""
        return self._wrapped[0]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            value = getattr(self.__dict__["_wrapped"][0], name)
        if inspect.ismethod(value):  # which may run the network
            self._move()
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> StoredTeacher:
        return self

    def train(self, mode: bool = True) -> StoredTeacher:
        """Stays in eval mode, as the teacher does."""
        return super().train(False)

    # TeacherProtocol -----------------------------------------------------------------------------

    def attach(self, names: Mapping[str, Indices]) -> None:
        """See `TeacherProtocol`."""
        self.wanted = tuple(name for name in names if VOCABULARY[name].provider == "teacher")
        self.teacher.attach(names)

    def match(self, normalization: Mapping[str, Any]) -> None:
        """See `TeacherProtocol`."""
        self.teacher.match(normalization)

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Shapes:
        """See `TeacherProtocol`."""
        self._image_shape, self._num_classes = tuple(inputs.shape[1:]), num_classes
        if self.rows is not None:
            self._move()
        shapes = self.teacher.measure(inputs, classes, num_classes)
        self._widths = {
            name: int(shapes[name][-1])  # type: ignore[arg-type]
            for name in STORED_SIGNALS
            if name in self.wanted and name in shapes
        }
        if self.rows is not None:  # other losses have been attached
            self.plan(self.rows.addressing)
            self.rows = self._opened()
        return shapes

    def digest(self) -> str:
        """See `TeacherProtocol`."""
        return self.teacher.digest()

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Any]:
        """The signals of a batch: stored ones, and those of the teacher for what is missing."""
        if self.rows is None or len(batch.inputs) < SMALLEST_BATCH:
            return self._compute(batch)
        return self.rows.signals(batch, self._compute)

    # Before training -----------------------------------------------------------------------------

    def plan(self, addressing: Addressing) -> int:
        """Prepare for a training, and refuse what cannot be stored. Writes nothing.

        Args:
            addressing: From samples to rows.

        Returns:
            Size in bytes that the store may come to.

        Raises:
            UserError: A loss asks for what is not stored, or the store would be too large.
        """
        others = [name for name in self.wanted if name not in STORED_SIGNALS]
        if others:
            raise UserError(
                f"store: the losses ask this teacher for {', '.join(others)}, and only "
                f"{' and '.join(STORED_SIGNALS)} are stored: leave `store` out of this run."
            )
        if getattr(self.teacher, "train_mode", False):
            raise UserError(
                "store: with train_mode=True a teacher's outputs depend on its batches and change "
                "during training: they cannot be stored."
            )
        options = self.options
        self._columns = {
            name: Column(width, build_codec(name, options.dtype, options.top_k))
            for name, width in self._widths.items()
        }
        columns = self._columns.values()
        sizes = [RowFile.size(addressing.rows, column.row_bytes) for column in columns]
        self.planned_size = addressing.blocks * sum(sizes)
        check_size(self.planned_size, options.max_bytes)
        self.addressing = addressing
        return self.planned_size

    def parts(self) -> dict[str, Any]:
        """The parts of the key of the store that the teacher and its options add."""
        assert self.addressing is not None
        options = self.options
        largest = "all" if options.top_k is None else options.top_k
        return {
            "teacher": identity(self.teacher, self._image_shape, self._num_classes),
            "stored": {"dtype": options.dtype, "logits": largest},
            "rows": dict(self.addressing.parts()),
        }

    def prepare(self, parts: Mapping[str, Any]) -> None:
        """Take a store, and refuse one that the disk has no space for. Writes nothing.

        Args:
            parts: The whole key, with ``parts()`` in it.

        Raises:
            UserError: Says what would be right.
        """
        check_space(Path(self.options.dir), parts, self.planned_size)
        self.key = dict(parts)

    def open(self, say: Callable[[str], None]) -> Path:
        """Read and write rows from now on.

        Args:
            say: Called with lines for the log.

        Returns:
            The folder of the store.

        Raises:
            UserError: The store cannot be written, or is damaged.
        """
        assert self.addressing is not None
        self._say = say
        self.rows = self._opened()
        return self.rows.folder.folder

    def _opened(self) -> StoredRows:
        assert self.addressing is not None
        assert self.key is not None
        row_bytes = {name: column.row_bytes for name, column in self._columns.items()}
        rows = self.addressing.rows
        folder = open_folder(Path(self.options.dir), self.key, rows, row_bytes)
        return StoredRows(folder, self.addressing, self._columns, self.options, self._say)

    @property
    def description(self) -> str:
        """Of what is stored, for the log: signals, type, and number of rows."""
        assert self.addressing is not None
        signals = [f"{name} as {column.codec.name}" for name, column in self._columns.items()]
        return f"{' and '.join(signals)}, {self.addressing.rows * self.addressing.blocks:,} rows"

    # During training -----------------------------------------------------------------------------

    def _move(self) -> None:
        if isinstance(self.teacher, nn.Module):
            for move in self._moves:
                self.teacher._apply(move)
        self._moves = []

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StoredTeacher:
        """Move the teacher: at once, or where it is stored, when it is needed."""
        self._moves.append(fn)
        if self.addressing is None:
            self._move()
        return self

    def _compute(self, batch: Batch) -> dict[str, Any]:
        self._move()
        return self.teacher(batch)
