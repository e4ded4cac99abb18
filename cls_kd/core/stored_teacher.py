"""A teacher whose logits and embedding come from a store where they are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cls_kd.core.teacher import Shapes, TeacherProtocol
from cls_kd.core.teacher_identity import identity
from cls_kd.errors import UserError
from cls_kd.functional import hash_integers
from cls_kd.signals import VOCABULARY, Batch, TrainingTime
from cls_kd.signals.network import Indices
from cls_kd.teacher_store import (
    STORED_SIGNALS,
    Addressing,
    StoredMetrics,
    StoreFolder,
    StoreOptions,
    build_codec,
    fingerprint,
    open_folder,
)
from cls_kd.teacher_store.folder import check_size
from cls_kd.teacher_store.rows import RowFile

SMALLEST_BATCH = 2
"""Smaller batches are neither stored nor replayed: kernels for one image round in another way."""

_TOLERANCES = {"float32": 1e-4, "float16": 2e-3}
"""Largest difference of a verified value, relative to the largest value of the batch."""


@dataclass
class Counts:
    """Rows since the last report.

    Attributes:
        read: Taken from the store.
        computed: Computed by the teacher, for want of a row.
        misfits: Among these, rows that were there and did not fit their tags.
        verified: Read, and computed as well.
        difference: Largest difference of a verified row, relative to the batch's largest value.
    """

    read: int = 0
    computed: int = 0
    misfits: int = 0
    verified: int = 0
    difference: float = 0.0


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
        counts: Rows read and computed, since the last report.
        metrics: The teacher's metrics on validation data, if the store is to hold them.
        batch_difference: Largest difference, relative to the largest value, between rows of the
            same images in different batches; None where no batch has been computed yet.
    """

    def __init__(self, teacher: TeacherProtocol, options: StoreOptions) -> None:
        super().__init__()
        self._wrapped: list[Any] = [teacher]  # no submodule, like the teachers of a distiller
        self._moves: list[Callable[[Tensor], Tensor]] = []
        self.options = options
        self.addressing: Addressing | None = None
        self.counts = Counts()
        self.metrics: StoredMetrics | None = None
        self.batch_difference: float | None = None
        self._folder: StoreFolder | None = None
        self._files: dict[str, dict[str, RowFile] | None] = {}
        self._say: Callable[[str], None] = print
        self._misfits: Tensor | None = None

    @property
    def teacher(self) -> Any:
        """The teacher itself."""
        return self._wrapped[0]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_wrapped"][0], name)

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
        shapes = self.teacher.measure(inputs, classes, num_classes)
        self._widths = {
            name: int(shapes[name][-1])  # type: ignore[arg-type]
            for name in STORED_SIGNALS
            if name in self.wanted and name in shapes
        }
        return shapes

    def digest(self) -> str:
        """See `TeacherProtocol`."""
        return self.teacher.digest()

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Any]:
        """The signals of a batch: stored ones, and those of the teacher for what is missing."""
        if self._folder is None or len(batch.inputs) < SMALLEST_BATCH:
            return self._compute(batch)
        files = self._block(batch.time)
        if files is None:
            rows = self._encoded(self._compute(batch))
        else:
            rows = self._rows(batch, files)
        device = batch.inputs.device
        return {
            name: self._codecs[name].decode(rows[name], width).to(device, non_blocking=True)
            for name, width in self._widths.items()
        }

    def predict(self, inputs: Tensor, *args: Any) -> Any:
        """As the teacher's; its network is on the device then."""
        self._move()
        return self.teacher.predict(inputs, *args)

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
        self._codecs = {
            name: build_codec(name, options.dtype, options.top_k) for name in self._widths
        }
        self._row_bytes = {
            name: self._codecs[name].row_bytes(width) for name, width in self._widths.items()
        }
        sizes = [RowFile.size(addressing.rows, length) for length in self._row_bytes.values()]
        self.planned_size = addressing.blocks * sum(sizes)
        check_size(Path(options.dir), self.planned_size, options.max_bytes)
        self.addressing = addressing
        return self.planned_size

    def parts(self) -> dict[str, Any]:
        """What the teacher and its options add to the key of the store."""
        assert self.addressing is not None
        options = self.options
        largest = "all" if options.top_k is None else options.top_k
        return {
            "teacher": identity(self.teacher, self._image_shape, self._num_classes),
            "stored": {"dtype": options.dtype, "logits": largest},
            "rows": dict(self.addressing.parts()),
        }

    def open(self, parts: Mapping[str, Any], say: Callable[[str], None]) -> Path:
        """Read and write rows from now on.

        Args:
            parts: The whole key.
            say: Called with lines for the log.

        Returns:
            The folder of the store.

        Raises:
            UserError: The store cannot be written, or is damaged.
        """
        assert self.addressing is not None
        directory = Path(self.options.dir)
        self._say = say
        self._folder = open_folder(directory, parts, self.addressing.rows, self._row_bytes)
        self._files = {}
        return self._folder.folder

    @property
    def description(self) -> str:
        """Of what is stored, for the log: signals, type, and number of rows."""
        assert self.addressing is not None
        signals = [f"{name} as {codec.name}" for name, codec in self._codecs.items()]
        return f"{' and '.join(signals)}, {self.addressing.rows * self.addressing.blocks:,} rows"

    # During training -----------------------------------------------------------------------------

    def report(self) -> Counts:
        """Write to the disk what is in memory; the rows since the last report.

        Raises:
            UserError: Rows on a device did not belong to their images.
        """
        for files in self._files.values():
            for file in (files or {}).values():
                file.flush()
        if self._misfits is not None and int(self._misfits):
            raise UserError(
                f"{int(self._misfits)} stored teacher outputs do not belong to their images: the "
                f"store is damaged. Remove it (`cls-kd store rm {self._store_name}`) and train "
                "again."
            )
        counts, self.counts, self._misfits = self.counts, Counts(), None
        return counts

    @property
    def _store_name(self) -> str:
        assert self._folder is not None
        return f"{self._folder.folder.name} --dir {self._folder.folder.parent}"

    def _rows(self, batch: Batch, files: Mapping[str, RowFile]) -> dict[str, np.ndarray]:
        """Encoded rows of a batch, by signal."""
        assert self.addressing is not None
        slots = self.addressing.slots(batch.host_index).numpy()
        if len(slots) and (slots.min() < 0 or slots.max() >= self.addressing.rows):
            raise UserError(f"store: there is no row {slots.max()}: the data set has changed.")
        marks = fingerprint(batch.inputs)
        on_host = marks.device.type == "cpu"
        if not on_host and all(file.present(slots).all() for file in files.values()):
            self.counts.read += len(slots)
            return self._read_unchecked(slots, marks, files)
        fingerprints = marks.cpu().numpy().astype(np.uint32)
        results = {name: file.read(slots, fingerprints) for name, file in files.items()}
        rows = {name: result[0] for name, result in results.items()}
        valid = np.logical_and.reduce([result[1] for result in results.values()])
        present = np.logical_and.reduce([result[2] for result in results.values()])
        self.counts.misfits += int((present & ~valid).sum())
        self.counts.read += int(valid.sum())
        if valid.all():
            if self._is_verified(batch.time):
                self._verify(rows, self._encoded(self._compute(batch)))
            return rows
        computed = self._compute(batch)
        self._compare_batches(batch, computed)
        self.counts.computed += int((~valid).sum())
        for name, fresh in self._encoded(computed).items():
            rows[name][~valid] = fresh[~valid]
            files[name].write(slots[~valid], fresh[~valid], fingerprints[~valid])
        return rows

    def _read_unchecked(
        self, slots: np.ndarray, marks: Tensor, files: Mapping[str, RowFile]
    ) -> dict[str, np.ndarray]:
        """Rows on a device, where fingerprints are compared without a wait; see ``report``."""
        rows = {}
        for name, file in files.items():
            rows[name], expected = file.read_unchecked(slots)
            on_device = torch.from_numpy(expected.astype(np.int64)).to(marks.device)
            misfits = (on_device != marks).sum()
            self._misfits = misfits if self._misfits is None else self._misfits + misfits
        return rows

    def _block(self, time: TrainingTime) -> dict[str, RowFile] | None:
        """The files of the present block; None where the disk is full."""
        assert self.addressing is not None and self._folder is not None
        name = self.addressing.block(time)
        if name not in self._files:
            try:
                self._files = {name: self._folder.block(name)}
            except OSError as error:
                self._files = {name: None}
                self._say(
                    f"The teacher's outputs are not stored from here on: {error.strerror}. "
                    "Training goes on with the teacher."
                )
        return self._files[name]

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

    def _encoded(self, signals: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {name: codec.encode(signals[name]) for name, codec in self._codecs.items()}

    def _is_verified(self, time: TrainingTime) -> bool:
        """Test for one of the steps whose rows are computed again."""
        if not self.options.verify:
            return False
        word = int(hash_integers(torch.tensor(time.step))) & (2**53 - 1)
        return word < self.options.verify * 2**53

    def _verify(self, rows: Mapping[str, np.ndarray], fresh: Mapping[str, np.ndarray]) -> None:
        """Compare rows with those that the teacher gives now.

        Raises:
            UserError: They differ by more than rounding.
        """
        for name, width in self._widths.items():
            stored, computed = (
                self._codecs[name].decode(side[name], width).sort(1).values for side in (rows, fresh)
            )
            same = np.array_equal(rows[name], fresh[name])
            difference = 0.0 if same else relative_difference(computed, stored)
            self.counts.difference = max(self.counts.difference, difference)
            if not difference <= _TOLERANCES[self.options.dtype]:
                raise UserError(
                    f"Stored {name} differ from the teacher's: by {difference:.2g} of the largest "
                    f"value. Remove the store (`cls-kd store rm {self._store_name}`) and train "
                    "again."
                )
        self.counts.verified += len(rows[next(iter(self._widths))])

    def _compare_batches(self, batch: Batch, computed: Mapping[str, Tensor]) -> None:
        """Measure, once, how far a row depends on the other images of its batch."""
        if self.batch_difference is not None:
            return
        count = len(batch.inputs)
        self.batch_difference = 0.0
        for order in (torch.arange(count - 1, -1, -1), torch.arange(max(count // 2, 2))):
            order = order.to(batch.inputs.device)
            images = batch.inputs.index_select(0, order)
            other = self.teacher(Batch(images, None, self._num_classes, time=batch.time))
            for name in self._widths:
                expected = computed[name].index_select(0, order)
                if not torch.equal(expected, other[name]):
                    difference = relative_difference(expected, other[name])
                    self.batch_difference = max(self.batch_difference, difference)


def relative_difference(expected: Tensor, values: Tensor) -> float:
    """Largest absolute difference, relative to the largest absolute value that is expected."""
    scale = float(expected.abs().max())
    return float((expected.float() - values.float()).abs().max()) / (scale or 1.0)
