"""Rows: what is written is read, and what is damaged, foreign or half written is missing."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cls_kd.errors import UserError
from cls_kd.signals import TrainingTime
from cls_kd.teacher_store import (
    ByEpoch,
    ByOutcome,
    StoredMetrics,
    StoreOptions,
    build_codec,
    entries,
    fingerprint,
    key_of,
    open_folder,
    remove,
    size_text,
)
from cls_kd.teacher_store.fingerprints import row_fingerprint
from cls_kd.teacher_store.folder import check_size, check_space
from cls_kd.teacher_store.rows import RowFile

ROWS, WIDTH = 50, 6
PARTS = {"format": 1, "teacher": "t"}


def values(count: int = 4) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def file(tmp_path: Path) -> RowFile:
    RowFile.create(tmp_path / "all.teacher_logits", ROWS, 4 * WIDTH)
    return RowFile(tmp_path / "all.teacher_logits", ROWS, 4 * WIDTH)


def written(file: RowFile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots, rows and fingerprints of four rows that are there."""
    slots, rows = np.array([3, 9, 0, 49]), build_codec("x", "float32", None).encode(values())
    marks = fingerprint(torch.rand(4, 3, 8, 8)).numpy().astype(np.uint32)
    file.write(slots, rows, marks)
    return slots, rows, marks


def test_rows_are_read_as_written_by_another_process_too(file: RowFile) -> None:
    slots, rows, marks = written(file)
    for opened in (file, RowFile(file.path, ROWS, 4 * WIDTH)):
        read, valid, _ = opened.read(slots, marks)
        assert valid.all()
        assert np.array_equal(read, rows)
    assert file.count() == 4
    assert not file.read(np.array([1, 2]), marks[:2])[1].any()


@pytest.mark.parametrize("byte", range(4 * WIDTH))
def test_a_row_with_a_changed_byte_is_missing(byte: int, file: RowFile) -> None:
    slots, _, marks = written(file)
    with file.path.with_name(file.path.name + ".rows").open("r+b") as opened:
        opened.seek(int(slots[1]) * 4 * WIDTH + byte)
        before = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([before[0] ^ 1]))
    _, valid, present = file.read(slots, marks)
    assert valid.tolist() == [True, False, True, True]
    assert present.all()


def test_a_row_of_another_image_or_place_is_missing(file: RowFile) -> None:
    slots, rows, marks = written(file)
    assert not file.read(slots, marks + np.uint32(1))[1].any()
    moved = row_fingerprint(rows, slots + 1)
    assert (moved != row_fingerprint(rows, slots)).all()


def test_a_row_without_its_tag_is_missing(file: RowFile) -> None:
    """Rows come first: a process that is killed between the two leaves no tag."""
    slots, _, marks = written(file)
    with file.path.with_name(file.path.name + ".tags").open("r+b") as opened:
        opened.write(bytes(4 * ROWS))
    assert not file.read(slots, marks)[1].any()
    assert file.count() == 0


def test_fingerprints_follow_every_pixel() -> None:
    images = torch.rand(1, 3, 4, 4)
    changed = images.repeat(48, 1, 1, 1)
    changed.view(48, -1)[torch.arange(48), torch.arange(48)] += 0.25
    marks = fingerprint(torch.cat([images, changed, images.flip(3)])).tolist()
    assert len(set(marks)) == 50
    assert all(0 <= mark < 2**32 for mark in marks)
    half = fingerprint(images.half())
    assert half.shape == (1,)


@pytest.mark.parametrize("name", ["all.teacher_logits.rows", "all.teacher_logits.tags"])
def test_files_of_another_length_are_refused(name: str, file: RowFile) -> None:
    with (file.path.parent / name).open("ab") as opened:
        opened.write(b"xx")
    with pytest.raises(UserError, match=r"damaged: the file should have \d+ bytes"):
        RowFile(file.path, ROWS, 4 * WIDTH)


def test_a_link_is_no_file_of_rows(file: RowFile) -> None:
    rows = file.path.with_name("all.teacher_logits.rows")
    rows.rename(rows.with_name("elsewhere"))
    rows.symlink_to(rows.with_name("elsewhere"))
    with pytest.raises(UserError, match="damaged"):
        RowFile(file.path, ROWS, 4 * WIDTH)


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        RowFile.create(tmp_path / "all.teacher_logits", ROWS, 24)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dtype", "top_k", "size", "error"),
    [("float32", None, 400, 0.0), ("float16", None, 200, 2e-3), ("float16", 16, 68, None)],
)
def test_codecs(dtype: str, top_k: int | None, size: int, error: float | None) -> None:
    logits = 4 * torch.randn(32, 100, generator=torch.Generator().manual_seed(0))
    codec = build_codec("teacher_logits", dtype, top_k)
    assert codec.row_bytes(100) == size
    decoded = codec.decode(codec.encode(logits), 100)
    if error is not None:
        assert float((decoded - logits).abs().max() / logits.abs().max()) <= error
        return
    assert top_k is not None
    largest, indices = logits.topk(top_k, dim=1)
    assert torch.allclose(decoded.gather(1, indices), largest, atol=1e-2)
    probabilities = logits.softmax(1).gather(1, indices)
    assert torch.allclose(decoded.softmax(1).gather(1, indices), probabilities, atol=2e-3)


def test_more_classes_than_int16_and_fewer_than_k() -> None:
    logits = torch.randn(2, 40_000)
    codec = build_codec("teacher_logits", "float32", 3)
    assert codec.row_bytes(40_000) == 4 + 3 * 8
    decoded = codec.decode(codec.encode(logits), 40_000)
    assert torch.equal(decoded.argmax(1), logits.argmax(1))
    few = build_codec("teacher_logits", "float32", 9).decode
    short = build_codec("teacher_logits", "float32", 9).encode(logits[:, :5])
    assert torch.equal(few(short, 5), logits[:, :5])


def test_a_value_too_large_for_half_precision_is_an_error() -> None:
    with pytest.raises(UserError, match=r"values up to 7e\+04, which float16 does not hold"):
        build_codec("teacher_logits", "float16", None).encode(torch.tensor([[7e4]]))


def test_addresses() -> None:
    by_outcome = ByOutcome(10, 162, lambda index, _: index % 162)
    assert (by_outcome.rows, by_outcome.blocks) == (1620, 1)
    assert by_outcome.slots(torch.tensor([0, 9]), TrainingTime()).tolist() == [0, 9 * 162 + 9]
    assert by_outcome.block(TrainingTime(epoch=7)) == "all"
    by_epoch = ByEpoch(10, 240, seed=3)
    assert by_epoch.slots(torch.tensor([4]), TrainingTime()).tolist() == [4]
    assert by_epoch.block(TrainingTime(epoch=7)) == "epoch_0007"
    assert by_epoch.parts() != ByEpoch(10, 240, seed=4).parts()


def test_cifar100_stays_below_its_bound_whatever_the_seeds() -> None:
    """50,000 images, 162 outcomes each: 3.27 GB of logits in float32."""
    rows = ByOutcome(50_000, 162, lambda index, _: index).rows
    size = RowFile.size(rows, build_codec("teacher_logits", "float32", None).row_bytes(100))
    assert size < 3.3e9
    assert size_text(size) == "3.27 GB"
    assert size_text(12) == "12 bytes"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"dtype": "float8"}, "no dtype 'float8'.*Known: float16, float32"),
        ({"top_k": 0}, "top_k must be a whole number of 1 or more, not 0"),
        ({"max_size": "much"}, "max_size must be a number of bytes or a text such as '20GB'"),
        ({"max_size": 0}, "max_size must be a number of bytes"),
        ({"verify": 2}, r"verify=2 must be in \[0, 1\]"),
        ({"verify": "all"}, "verify must be a fraction, not 'all'"),
        ({"dir": ""}, "dir must be the path of a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        StoreOptions(**option)


@pytest.mark.parametrize(
    ("text", "size"), [("20GB", 20 * 10**9), ("1.5 mb", 1_500_000), ("7k", 7000), (9, 9)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert StoreOptions(max_size=text).max_bytes == size


def test_a_store_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"take up to 3\.27 GB, and max_size is 1 GB: raise"):
        check_size(3_272_400_000, 10**9)
    with pytest.raises(UserError, match=r"take up to 1e\+06 TB more, and the disk of .* left\."):
        check_space(tmp_path / "new", PARTS, 10**18)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is no folder that can be written"):
        check_space(tmp_path / "file" / "new", PARTS, 1)
    assert not (tmp_path / "new").exists()


def test_what_is_stored_already_needs_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = RowFile.size(ROWS, 24)
    open_folder(tmp_path, PARTS, ROWS, {"teacher_logits": 24}).block("all")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    check_space(tmp_path, PARTS, size)
    with pytest.raises(UserError, match="take up to 1 bytes more"):
        check_space(tmp_path, PARTS, size + 1)


def test_the_folder_of_another_key_is_no_hit(tmp_path: Path) -> None:
    first = open_folder(tmp_path, PARTS, ROWS, {"teacher_logits": 24})
    other = open_folder(tmp_path, {**PARTS, "teacher": "u"}, ROWS, {"teacher_logits": 24})
    assert first.folder != other.folder
    assert open_folder(tmp_path, PARTS, ROWS, {}).folder == first.folder


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({**PARTS, "teacher": "u"}), "[" * 100_000, "x" * 2**21]
)
def test_a_hostile_key_is_refused(text: str, tmp_path: Path) -> None:
    folder = tmp_path / key_of(PARTS)
    folder.mkdir()
    (folder / "key.json").write_text(text)
    with pytest.raises(UserError, match=r"damaged: key\.json cannot be used"):
        open_folder(tmp_path, PARTS, ROWS, {})
    (entry,) = entries(tmp_path)
    assert entry.parts == {}


def test_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be stored in .*file: Not a directory"):
        open_folder(tmp_path / "file", PARTS, ROWS, {})


def test_stores_are_listed_and_removed(tmp_path: Path) -> None:
    assert entries(tmp_path / "none") == []
    store = open_folder(tmp_path, PARTS, ROWS, {"teacher_logits": 24, "teacher_embedding": 40})
    files = store.block("all")
    written(files["teacher_logits"])
    (tmp_path / "other").mkdir()
    (entry,) = entries(tmp_path)
    assert (entry.rows, entry.capacity, entry.parts) == (4, ROWS, PARTS)
    assert entry.size >= ROWS * (24 + 40 + 8)
    (store.folder / "mine.txt").write_text("no file of a store")
    with pytest.raises(UserError, match="is not removed: there are files in it"):
        remove(entry)
    (store.folder / "mine.txt").unlink()
    remove(entry)
    assert not store.folder.exists()
    assert (tmp_path / "other").exists()


def test_files_that_vanish_while_stores_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that makes a block renames its files."""
    store = open_folder(tmp_path, PARTS, ROWS, {"teacher_logits": 24})
    written(store.block("all")["teacher_logits"])
    iterdir = Path.iterdir

    def renamed_since(self: Path) -> list[Path]:
        gone = ".epoch_0001.teacher_logits.rows.tmp", "epoch_0002.teacher_logits.tags"
        return [*iterdir(self), *(self / name for name in gone if self == store.folder)]

    monkeypatch.setattr(Path, "iterdir", renamed_since)
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    (entry,) = entries(tmp_path)
    assert (entry.rows, entry.capacity) == (4, ROWS)


@pytest.mark.parametrize("text", ["", "[]", '{"accuracy": "1"}', '{"accuracy": NaN}'])
def test_damaged_metrics_are_none(text: str, tmp_path: Path) -> None:
    metrics = StoredMetrics(tmp_path, {"data": "d"})
    assert metrics.read() is None
    metrics.write({"accuracy/top1": 0.1 + 0.2})
    assert metrics.read() == {"accuracy/top1": 0.1 + 0.2}
    assert StoredMetrics(tmp_path, {"data": "e"}).read() is None
    next(tmp_path.glob("metrics_*")).write_text(text)
    assert metrics.read() is None
