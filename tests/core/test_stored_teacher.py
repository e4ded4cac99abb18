"""A stored teacher in a loop of one's own: any teacher, any addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cls_kd.core import Distiller
from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.core.teacher import Teacher
from cls_kd.errors import UserError
from cls_kd.losses import CRDLoss, KDLoss, TaskLoss
from cls_kd.signals import Batch
from cls_kd.teacher_store import ByOutcome, StoreOptions

IMAGES, CLASSES = 12, 4
SHAPE = (3, 6, 6)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(80, CLASSES))


class Depending:
    """A teacher that is no module, and whose rows depend on the batch that they are in."""

    name, note, is_asked = "depending", "synthetic", True

    def __init__(self) -> None:
        self.runs = 0

    def attach(self, names: Mapping[str, Any]) -> None:
        pass

    def match(self, normalization: Mapping[str, Any]) -> None:
        pass

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Any:
        return {"teacher_logits": (CLASSES,)}

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        self.runs += 1
        logits = batch.inputs.flatten(1)[:, :CLASSES]
        return {"teacher_logits": logits + 1e-3 * len(batch.inputs)}

    def digest(self) -> str:
        return "depending"


def stored(teacher: Any, folder: Path, **options: Any) -> tuple[Distiller, StoredTeacher]:
    wrapped = StoredTeacher(teacher, StoreOptions(dir=str(folder), **options))
    losses = dict(ce=TaskLoss(), kd=KDLoss())
    distiller = Distiller(network(1), losses, wrapped, input_shape=SHAPE)
    wrapped.plan(ByOutcome(IMAGES, 1, lambda index, _: torch.zeros_like(index)))
    wrapped.prepare(wrapped.parts())
    wrapped.open(print)
    return distiller, wrapped


def batch(count: int = IMAGES, first: int = 0) -> dict[str, Tensor]:
    images = torch.rand(IMAGES, *SHAPE, generator=torch.Generator().manual_seed(0))
    index = torch.arange(first, first + count)
    return dict(images=images[index], labels=index % CLASSES, index=index)


def test_any_teacher_is_stored_and_rows_that_are_there_are_kept(tmp_path: Path) -> None:
    teacher = Depending()
    distiller, wrapped = stored(teacher, tmp_path)
    first = distiller.loss(**batch(6))
    mixed = distiller.loss(**batch(8, 2))  # four of these are there
    runs = teacher.runs
    # Four rows are as the batch of six gave them, in whatever batch they are asked for again.
    assert torch.equal(distiller.loss(**batch(6))["kd.loss"], first["kd.loss"])
    assert torch.equal(distiller.loss(**batch(8, 2))["kd.loss"], mixed["kd.loss"])
    assert teacher.runs == runs
    assert wrapped.rows is not None
    assert wrapped.rows.batch_difference is not None
    assert wrapped.rows.batch_difference > 1e-4
    counts = wrapped.rows.report()
    assert (counts.read, counts.computed) == (4 + 6 + 8, 6 + 4)


def test_a_single_image_is_neither_stored_nor_read(tmp_path: Path) -> None:
    teacher = Depending()
    distiller, wrapped = stored(teacher, tmp_path)
    for _ in range(2):
        runs = teacher.runs
        distiller.loss(**batch(1))
        assert teacher.runs == runs + 1
    assert wrapped.rows is not None
    assert wrapped.rows.report().computed == 0


def test_on_a_device_rows_are_compared_by_the_end_of_the_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where a comparison in the step would wait for it."""
    distiller, wrapped = stored(Teacher(network(2)), tmp_path)
    expected = distiller.loss(**batch())
    monkeypatch.setattr("cls_kd.core.stored_rows.is_compared_at_once", lambda _: False)
    assert torch.equal(distiller.loss(**batch())["kd.loss"], expected["kd.loss"])
    assert wrapped.rows is not None
    assert wrapped.rows.report().read == IMAGES
    file = next(tmp_path.glob("*/all.teacher_logits.rows"))
    content = np.memmap(file, np.float32, "r+").reshape(IMAGES, CLASSES)
    content[3] += 1
    distiller.loss(**batch())
    with pytest.raises(UserError, match="1 stored teacher outputs do not belong to their images"):
        wrapped.rows.report()


def test_the_network_stays_where_it_is_until_a_row_is_missing(tmp_path: Path) -> None:
    distiller, wrapped = stored(Teacher(network(2)), tmp_path)
    distiller.loss(**batch())
    again, wrapped = stored(Teacher(network(2)), tmp_path)
    again.to(torch.float64)
    assert next(wrapped.network.parameters()).dtype is torch.float32
    plain = StoredTeacher(Teacher(network(2)), StoreOptions(dir=str(tmp_path)))
    Distiller(network(1), dict(kd=KDLoss()), plain, input_shape=SHAPE).double()
    assert next(plain.network.parameters()).dtype is torch.float64


def test_a_row_beyond_the_data_set_is_an_error(tmp_path: Path) -> None:
    distiller, _ = stored(Teacher(network(2)), tmp_path)
    outside = {**batch(4), "index": torch.arange(IMAGES - 2, IMAGES + 2)}
    with pytest.raises(UserError, match=f"there is no row {IMAGES + 1}"):
        distiller.loss(**outside)


def test_a_run_that_asks_for_the_embedding_too_reads_the_logits_that_are_there(
    tmp_path: Path,
) -> None:
    taps = {"embedding": "2:input"}
    first = stored(Teacher(network(2), taps=taps), tmp_path)[0].loss(**batch())
    losses = dict(kd=KDLoss(), embedding=CRDLoss(dim=2, negatives=2))
    teacher = Teacher(network(2), taps=taps)
    wrapped = StoredTeacher(teacher, StoreOptions(dir=str(tmp_path)))
    distiller = Distiller(
        network(1), losses, wrapped, input_shape=SHAPE, num_samples=IMAGES, student_taps=taps
    )
    wrapped.plan(ByOutcome(IMAGES, 1, lambda index, _: torch.zeros_like(index)))
    wrapped.prepare(wrapped.parts())
    wrapped.open(print)
    files = {file.name: file.read_bytes() for file in tmp_path.glob("*/*.rows")}
    both = distiller.loss(**batch())
    assert torch.equal(both["kd.loss"], first["kd.loss"])
    (folder,) = tmp_path.iterdir()
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert (folder / "all.teacher_embedding.rows").stat().st_size == IMAGES * 80 * 4
