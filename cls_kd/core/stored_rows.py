"""Signals of a batch from stored rows, and from a teacher where rows are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import hash_integers
from cls_kd.signals import Batch, TrainingTime
from cls_kd.teacher_store import Addressing, Codec, StoreFolder, StoreOptions, fingerprint
from cls_kd.teacher_store.rows import RowFile

Compute = Callable[[Batch], dict[str, Any]]
"""A teacher: its signals of a batch."""

_TOLERANCES = {"float32": 1e-4, "float16": 2e-3}
"""Largest difference of a verified value, relative to the largest value of the batch."""


@dataclass(frozen=True)
class Column:
    """A signal as it is stored.

    Attributes:
        width: Number of values of a sample.
        codec: Makes rows of them.
    """

    width: int
    codec: Codec

    @property
    def row_bytes(self) -> int:
        """Length of a row."""
        return self.codec.row_bytes(self.width)

    def decode(self, rows: np.ndarray) -> Tensor:
        """The values of rows, (N, width) float32."""
        return self.codec.decode(rows, self.width)


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


class StoredRows:
    """The rows of one teacher during a training.

    Args:
        folder: The store.
        addressing: From samples to rows.
        columns: The signals that are stored.
        options: Of the store.
        say: Called with lines for the log.

    Attributes:
        counts: Rows read and computed since the last report.
        batch_difference: Largest difference, relative to the largest value, between rows of the
            same images in different batches; None where no batch has been computed yet.
    """

    def __init__(
        self,
        folder: StoreFolder,
        addressing: Addressing,
        columns: Mapping[str, Column],
        options: StoreOptions,
        say: Callable[[str], None],
    ) -> None:
        self.addressing, self.columns, self.options = addressing, columns, options
        self.counts = Counts()
        self.batch_difference: float | None = None
        self.folder = folder
        self._say = say
        self._files: dict[str, dict[str, RowFile] | None] = {}
        self._misfits: Tensor | None = None

    def signals(self, batch: Batch, compute: Compute) -> dict[str, Tensor]:
        """The stored signals of a batch; rows that are missing are computed and stored.

        Args:
            batch: The batch.
            compute: Computes the whole batch.
        """
        files = self._block(batch.time)
        if files is None:
            return self._decoded(self._encoded(compute(batch)), batch)
        rows, is_whole = self._rows(batch, files, compute)
        if is_whole and self._is_verified(batch.time):
            self._verify(rows, self._encoded(compute(batch)))
        return self._decoded(rows, batch)

    def _decoded(self, rows: Mapping[str, np.ndarray], batch: Batch) -> dict[str, Tensor]:
        device = batch.inputs.device
        return {
            name: column.decode(rows[name]).to(device, non_blocking=True)
            for name, column in self.columns.items()
        }

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
        return f"{self.folder.folder.name} --dir {self.folder.folder.parent}"

    def _rows(
        self, batch: Batch, files: Mapping[str, RowFile], compute: Compute
    ) -> tuple[dict[str, np.ndarray], bool]:
        """Encoded rows of a batch, by signal, and whether all of them were there."""
        slots = self.addressing.slots(batch.draws, batch.time).numpy()
        if len(slots) and (slots.min() < 0 or slots.max() >= self.addressing.rows):
            raise UserError(f"store: there is no row {slots.max()}: the data set has changed.")
        marks = fingerprint(batch.inputs)
        if not is_compared_at_once(marks.device) and all(
            file.present(slots).all() for file in files.values()
        ):
            self.counts.read += len(slots)
            return self._read_unchecked(slots, marks, files), True
        fingerprints = marks.cpu().numpy().astype(np.uint32)
        results = {name: file.read(slots, fingerprints) for name, file in files.items()}
        rows = {name: result[0] for name, result in results.items()}
        valid = np.logical_and.reduce([result[1] for result in results.values()])
        present = np.logical_and.reduce([result[2] for result in results.values()])
        self.counts.misfits += int((present & ~valid).sum())
        self.counts.read += int(valid.sum())
        self.counts.computed += int((~valid).sum())
        if valid.all():
            return rows, True
        computed = compute(batch)
        self._compare_batches(batch, computed, compute)
        for name, fresh in self._encoded(computed).items():
            missing = ~results[name][1]
            rows[name][missing] = fresh[missing]
            files[name].write(slots[missing], fresh[missing], fingerprints[missing])
        return rows, False

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
        name = self.addressing.block(time)
        if name not in self._files:
            try:
                self._files = {name: self.folder.block(name)}
            except OSError as error:
                self._files = {name: None}
                self._say(
                    f"The teacher's outputs are not stored from here on: {error.strerror}. "
                    "Training goes on with the teacher."
                )
        return self._files[name]

    def _encoded(self, signals: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {name: column.codec.encode(signals[name]) for name, column in self.columns.items()}

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
        for name, column in self.columns.items():
            stored, computed = (column.decode(side[name]) for side in (rows, fresh))
            if self.options.top_k is not None:  # of equal logits, either may be among the largest
                stored, computed = stored.sort(1).values, computed.sort(1).values
            same = np.array_equal(rows[name], fresh[name])
            difference = 0.0 if same else relative_difference(computed, stored)
            self.counts.difference = max(self.counts.difference, difference)
            if not difference <= _TOLERANCES[self.options.dtype]:
                raise UserError(
                    f"Stored {name} differ from the teacher's: by {difference:.2g} of the largest "
                    f"value. Remove the store (`cls-kd store rm {self._store_name}`) and train "
                    "again."
                )
        self.counts.verified += len(rows[next(iter(self.columns))])

    def _compare_batches(
        self, batch: Batch, computed: Mapping[str, Tensor], compute: Compute
    ) -> None:
        """Measure, once, how far a row depends on the other images of its batch."""
        if self.batch_difference is not None:
            return
        count = len(batch.inputs)
        self.batch_difference = 0.0
        for order in (torch.arange(count - 1, -1, -1), torch.arange(max(count // 2, 2))):
            order = order.to(batch.inputs.device)
            images = batch.inputs.index_select(0, order)
            other = compute(Batch(images, None, batch.num_classes, time=batch.time))
            for name in self.columns:
                expected = computed[name].index_select(0, order)
                if not torch.equal(expected, other[name]):
                    difference = relative_difference(expected, other[name])
                    self.batch_difference = max(self.batch_difference, difference)


def is_compared_at_once(device: torch.device) -> bool:
    """Test for a device that the host need not wait for, to compare fingerprints."""
    return device.type == "cpu"


def relative_difference(expected: Tensor, values: Tensor) -> float:
    """Largest absolute difference, relative to the largest absolute value that is expected."""
    scale = float(expected.abs().max())
    return float((expected.float() - values.float()).abs().max()) / (scale or 1.0)
