"""CIFAR's files are read without unpickling them, whatever wrote them; bad ones are refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.data import CIFAR10, CIFAR100
from cls_kd.data.cifar100_superclasses import SUPERCLASS_NAMES, SUPERCLASSES
from cls_kd.data.pickles import read_pickle
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


def batch(count: int = 6) -> dict[str, Any]:
    """What a file of CIFAR-100 holds, with keys as Python 3 has them."""
    fine = [(7 * place) % 100 for place in range(count)]
    return {
        "data": np.random.default_rng(0).integers(0, 256, (count, 3072), dtype=np.uint8),
        "fine_labels": fine,
        "coarse_labels": [SUPERCLASSES[label] for label in fine],
        "filenames": [f"image_{place}.png" for place in range(count)],
        "batch_label": "training batch 1 of 1",
    }


def save(root: Path, content: bytes | dict[str, Any], protocol: int = 2) -> Path:
    folder = root / CIFAR100.FOLDER
    folder.mkdir(exist_ok=True)
    raw = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
    (folder / "train").write_bytes(raw)
    return root


def load(root: Path, **options: Any) -> CIFAR100:
    return CIFAR100(str(root), "train", checksum=False, **options)


class Python2:
    """Writes what Python 2 and NumPy 1 wrote: text of bytes, and NumPy's older names."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.out.write(b"\x80\x02")

    def text(self, value: bytes) -> None:
        short = len(value) < 256
        head = b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        self.out.write(head + value)

    def array(self, value: np.ndarray) -> None:
        self.out.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85")
        self.text(b"b")
        self.out.write(b"\x87R(K\x01")
        self.out.write(b"".join(b"M" + struct.pack("<H", size) for size in value.shape) + b"\x86")
        self.out.write(b"cnumpy\ndtype\n")
        self.text(b"u1")
        self.out.write(b"K\x00K\x01\x87R(K\x03")
        self.text(b"|")
        self.out.write(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
        self.text(value.tobytes())
        self.out.write(b"tb")

    def dumps(self, values: dict[str, Any]) -> bytes:
        self.out.write(b"}(")
        for key, value in values.items():
            self.text(key.encode())
            if isinstance(value, np.ndarray):
                self.array(value)
            elif isinstance(value, str):
                self.text(value.encode())
            else:
                self.out.write(b"](")
                for one in value:
                    if isinstance(one, str):
                        self.text(one.encode())
                    else:
                        self.out.write(b"K" + bytes([one]))
                self.out.write(b"e")
        self.out.write(b"u.")
        return self.out.getvalue()


def test_what_python_2_wrote_is_what_pickle_reads() -> None:
    """The writer above is right: the ordinary unpickler reads it so."""
    raw = Python2().dumps(batch())
    expected = pickle.loads(raw, encoding="latin1")
    assert np.array_equal(expected["data"], batch()["data"])
    given = read_pickle(raw, "file")
    assert set(given) == set(expected)
    assert np.array_equal(given["data"], expected["data"])
    assert given["fine_labels"] == expected["fine_labels"]


def bytes_keys(values: dict[str, Any]) -> dict[Any, Any]:
    return {key.encode(): value for key, value in values.items()}


def numpy_labels(values: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "fine_labels": np.asarray(values["fine_labels"]),
        "coarse_labels": [np.int64(label) for label in values["coarse_labels"]],
    }


def columns_first(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "data": np.asfortranarray(values["data"])}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("change", [dict, bytes_keys, numpy_labels, columns_first])
def test_any_writer_is_read(
    change: Callable[[dict[str, Any]], dict[Any, Any]], protocol: int, tmp_path: Path
) -> None:
    save(tmp_path, change(batch()), protocol)
    cifar = load(tmp_path)
    assert np.array_equal(cifar.images.numpy().reshape(6, 3072), batch()["data"])
    assert cifar.get_gt_labels().tolist() == batch()["fine_labels"]


def test_the_names_of_numpy_1_and_2_are_read(tmp_path: Path) -> None:
    raw = pickle.dumps(batch(), 2)
    ours, other = b"numpy._core.multiarray", b"numpy.core.multiarray"
    if ours not in raw:
        ours, other = other, ours
    assert ours in raw
    save(tmp_path, raw.replace(ours, other))
    assert np.array_equal(load(tmp_path).images.numpy().reshape(6, 3072), batch()["data"])


def test_python_2(tmp_path: Path) -> None:
    cifar = load(save(tmp_path, Python2().dumps(batch(300))))
    assert np.array_equal(cifar.images.numpy().reshape(300, 3072), batch(300)["data"])


def test_items(cifar100_root: Path) -> None:
    cifar = DATASETS.build(
        dict(type="CIFAR100", data_root=str(cifar100_root), split="test", checksum=False)
    )
    assert type(cifar) is CIFAR100
    raw = pickle.loads((cifar100_root / "cifar-100-python/test").read_bytes(), encoding="latin1")
    item = cifar[-1]
    assert len(cifar) == 200
    assert item["img"].shape == (32, 32, 3)
    assert item["img"].dtype == np.uint8
    assert np.array_equal(item["img"], raw["data"][199].reshape(3, 32, 32).transpose(1, 2, 0))
    assert (item["gt_label"], item["sample_idx"]) == (raw["fine_labels"][199], 199)
    item["img"][:] = 0
    assert np.array_equal(cifar[199]["img"].transpose(2, 0, 1).ravel(), raw["data"][199])


def test_coarse_labels(cifar100_root: Path) -> None:
    fine = CIFAR100(str(cifar100_root), "test", checksum=False)
    coarse = CIFAR100(str(cifar100_root), "test", checksum=False, labels="coarse")
    groups = np.asarray(fine.metainfo["superclasses"])
    assert np.array_equal(coarse.get_gt_labels(), groups[fine.get_gt_labels()])
    assert coarse.metainfo["classes"] == SUPERCLASS_NAMES == fine.metainfo["superclass_names"]
    assert len(fine.metainfo["classes"]) == 100
    assert "superclasses" not in coarse.metainfo


def test_superclasses_are_those_of_the_data_set() -> None:
    # As the coarse labels of the published files map them, in the order of the fine labels.
    published = (
        "4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7 6 13 15 3 15 0 11 1 10 12 14 16 "
        "9 11 5 5 19 8 8 15 13 14 17 18 10 16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 "
        "0 1 16 12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 18 1 2 15 6 0 17 8 14 13"
    )
    assert list(SUPERCLASSES) == [int(number) for number in published.split()]
    assert set(np.bincount(SUPERCLASSES)) == {5}


def test_cifar10_is_read_in_the_order_of_its_files(cifar10_root: Path, tmp_path: Path) -> None:
    cifar = CIFAR10(str(cifar10_root), "train", checksum=False)
    files = [cifar10_root / CIFAR10.FOLDER / f"data_batch_{number}" for number in range(1, 6)]
    parts = [pickle.loads(file.read_bytes(), encoding="latin1") for file in files]
    assert len(cifar) == 103
    assert cifar.get_gt_labels().tolist() == [label for part in parts for label in part["labels"]]
    assert np.array_equal(cifar.images.numpy().reshape(103, -1)[-1], parts[-1]["data"][-1])
    with tarfile.open(tmp_path / CIFAR10.ARCHIVE, "w:gz") as archive:
        for file in reversed(files):
            archive.add(file, f"{CIFAR10.FOLDER}/{file.name}")
    packed = CIFAR10(str(tmp_path), "train", checksum=False)
    assert torch.equal(packed.images, cifar.images)
    assert torch.equal(packed.labels, cifar.labels)


@pytest.mark.parametrize("prefix", ["", "./"])
def test_an_archive_is_read_as_it_is(prefix: str, cifar100_root: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / CIFAR100.ARCHIVE, "w:gz") as archive:
        archive.add(cifar100_root / CIFAR100.FOLDER, prefix + CIFAR100.FOLDER)
    packed, plain = (load(root) for root in (tmp_path, cifar100_root))
    assert torch.equal(packed.images, plain.images)
    assert [file.name for file in tmp_path.iterdir()] == [CIFAR100.ARCHIVE]


def test_a_subset_counts_in_itself(cifar100_root: Path) -> None:
    whole = load(cifar100_root)
    part = load(cifar100_root, indices=[7, 3, 299], pipeline=[PackInputs()])
    assert part.get_gt_labels().tolist() == whole.get_gt_labels()[[7, 3, 299]].tolist()
    batch = part.__getitems__([2, 0])
    assert torch.equal(batch["inputs"], whole.images[[299, 7]])
    assert batch["data_samples"].index.tolist() == [2, 0]
    assert part[2]["data_samples"].sample_idx == 2
    again = whole.get_subset([5, 6])
    assert again.images is whole.images
    assert again[1]["gt_label"] == whole[6]["gt_label"]


def test_it_says_where_and_how_much(cifar100_root: Path) -> None:
    assert "Split: \ttrain" in repr(load(cifar100_root))
    assert str(cifar100_root) in repr(load(cifar100_root))
    assert "initialized" in repr(load(cifar100_root, lazy_init=True))


def refused(root: Path, *words: str, **options: Any) -> None:
    with pytest.raises(UserError) as caught:
        CIFAR100(str(root), **{"split": "train", "checksum": False, **options})
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message


def test_missing_data_are_explained(tmp_path: Path) -> None:
    refused(tmp_path, str(tmp_path), "cifar-100-python.tar.gz", "https://", "download=True")
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / CIFAR100.FOLDER).mkdir()
    refused(tmp_path, f"{CIFAR100.FOLDER}/train", "unpack")


def test_an_altered_file_is_refused_by_default(tmp_path: Path) -> None:
    save(tmp_path, batch())
    refused(tmp_path, "MD5", CIFAR100.FILES["train"]["train"], "checksum=False", checksum=True)


def test_a_right_checksum_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = save(tmp_path, batch())
    found = hashlib.md5((root / CIFAR100.FOLDER / "train").read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR100, "FILES", {"train": {"train": found}})
    assert len(CIFAR100(str(root), "train")) == 6


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 50, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("python", [2, 3])
def test_a_file_cut_short_is_refused(kept: float, python: int, tmp_path: Path) -> None:
    raw = Python2().dumps(batch()) if python == 2 else pickle.dumps(batch(), 4)
    save(tmp_path, raw[: kept if isinstance(kept, int) else int(kept * len(raw))])
    refused(tmp_path, "damaged", f"{CIFAR100.FOLDER}/train")


def test_flipped_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    raw = bytearray(pickle.dumps({**batch(1), "data": np.zeros((1, 3072), np.uint8)}, 2))
    draw = np.random.default_rng(0)
    outcomes = set()
    head = np.flatnonzero(np.frombuffer(bytes(raw), np.uint8))  # where it is not pixels
    for _ in range(400):
        broken = bytearray(raw)
        broken[draw.choice(head)] = draw.integers(256)
        save(tmp_path, bytes(broken))
        try:
            load(tmp_path)
            outcomes.add("read")
        except UserError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fine_labels": [0, 1, 2, 3, 4, 100]}, ["'fine_labels'", "from 0 to 100", "0 to 99"]),
        ({"fine_labels": [0, 1, 2, 3, 4, -1]}, ["'fine_labels'", "from -1 to 4"]),
        ({"coarse_labels": [0, 1, 2, 3, 4, 20]}, ["'coarse_labels'", "0 to 19"]),
        ({"fine_labels": [0] * 5}, ["5 labels for 6 images"]),
        ({"coarse_labels": [0] * 7}, ["7 labels for 6 images"]),
        ({"coarse_labels": [0] * 6}, ["mislabeled", "image 0", "apple", "aquatic_mammals"]),
        ({"fine_labels": "zebra"}, ["'fine_labels'", "whole numbers"]),
        ({"fine_labels": [0.5] * 6}, ["whole numbers"]),
        ({"fine_labels": [2**70] * 6}, ["whole numbers"]),
        ({"fine_labels": [[0], [1, 2]]}, ["whole numbers"]),
        ({"fine_labels": {1: 2}}, ["whole numbers"]),
        ({"data": np.zeros((6, 3071), np.uint8)}, ["rows of 3071 bytes"]),
        ({"data": np.zeros((6, 3072), np.int64)}, ["uint8 array"]),
        ({"data": np.zeros(3072, np.uint8)}, ["uint8 array"]),
        ({"data": [[0] * 3072] * 6}, ["uint8 array"]),
        ({"data": np.zeros((6, 3072), np.float32)}, ["refused", "f4"]),
        ({"data": np.zeros((6, 3072), ">i8")}, ["refused", ">i8"]),
    ],
)
def test_what_does_not_fit_is_refused(
    change: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    save(tmp_path, {**batch(), **change})
    refused(tmp_path, *words)


@pytest.mark.parametrize("key", ["data", "fine_labels", "coarse_labels"])
def test_what_lacks_is_named(key: str, tmp_path: Path) -> None:
    values = batch()
    del values[key]
    save(tmp_path, values)
    refused(tmp_path, f"lacks '{key}'")


def test_another_pickle_is_refused(tmp_path: Path) -> None:
    save(tmp_path, pickle.dumps([1, 2, 3]))
    refused(tmp_path, "list", "dict")


class Runs:
    """Unpickled as usual, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def reaches_for(name: str, *arguments: bytes) -> bytes:
    module, _, attribute = name.rpartition(".")
    return b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"(" + b"".join(arguments) + b"tR."


@pytest.mark.parametrize("where", ["data", "fine_labels", "more"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_not_run(where: str, protocol: int, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    hostile = pickle.dumps({**batch(), where: Runs(trap)}, protocol)
    pickle.loads(hostile)
    assert trap.is_dir(), "the file is hostile indeed"
    trap.rmdir()
    save(tmp_path, hostile)
    refused(tmp_path, "refused", "mkdir", "Nothing of it was run")
    assert not trap.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "builtins.getattr",
        "numpy.load",
        "numpy.fromfile",
        "numpy.core.multiarray.fromstring",
        "numpy._core.multiarray.scalar.__class__",
        "_codecs.decode",
        "copyreg._reconstructor",
    ],
)
def test_names_beside_the_few_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="refused: it names"):
        read_pickle(reaches_for(name, b"X\x01\x00\x00\x00x"), "file")


def test_the_stand_ins_cannot_be_changed() -> None:
    """BUILD would set attributes on whatever stands before it."""
    good = pickle.dumps(batch(), 2)
    for state in (
        b"}X\x05\x00\x00\x00_kindX\x01\x00\x00\x00xs",
        b"N}X\x05\x00\x00\x00_kindK\x01s\x86",
    ):
        for name in (b"cnumpy\ndtype\n", b"cnumpy\nndarray\n"):
            with pytest.raises(UserError):
                read_pickle(b"\x80\x02" + name + state + b"b.", "file")
    assert np.array_equal(read_pickle(good, "file")["data"], batch()["data"])


def test_an_array_that_claims_to_be_huge_is_refused() -> None:
    raw = pickle.dumps({"data": np.zeros((2, 3), np.uint8)}, 2)
    assert raw.count(b"K\x02K\x03\x86") == 1
    huge = raw.replace(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    with pytest.raises(UserError, match=r"2147483647.* has 6 bytes"):
        read_pickle(huge, "file")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("name", [f"{CIFAR100.FOLDER}/train", "other"])
def test_an_archive_that_is_unpacked_without_end_is_refused(
    kind: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cls_kd.data.archives._MAX_BYTES", 2**20)
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, 2**22
    content = member.tobuf(tarfile.GNU_FORMAT) + bytes(2**22)
    (tmp_path / CIFAR100.ARCHIVE).write_bytes(gzip.compress(content))
    refused(tmp_path, CIFAR100.ARCHIVE, "was refused: unpacked it has more than")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "lacks", "link"])
def test_a_bad_archive_is_refused(damage: str, cifar100_root: Path, tmp_path: Path) -> None:
    archive = tmp_path / CIFAR100.ARCHIVE
    name = f"{CIFAR100.FOLDER}/train"
    with tarfile.open(archive, "w:gz") as opened:
        if damage == "link":
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, str(cifar100_root / name)
            opened.addfile(link)
        elif damage != "lacks":
            opened.add(cifar100_root / name, name)
    raw = archive.read_bytes()
    if damage == "cut":
        archive.write_bytes(raw[: len(raw) // 2])
    elif damage in ("text", "empty"):
        archive.write_bytes(b"<html>Not found</html>" if damage == "text" else b"")
    refused(tmp_path, CIFAR100.ARCHIVE, "lacks" if damage in ("lacks", "link") else "damaged")


def served(cifar100_root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the address be that of a local file."""
    archive = folder / "served.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(cifar100_root / CIFAR100.FOLDER, CIFAR100.FOLDER)
    monkeypatch.setattr(CIFAR100, "URL", archive.as_uri())


def test_a_download_is_asked_for(
    cifar100_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(cifar100_root, tmp_path, monkeypatch)
    found = hashlib.md5((tmp_path / "served.tar.gz").read_bytes()).hexdigest()
    root = tmp_path / "data" / "cifar"
    refused(root, "download=True")
    assert not root.exists()
    refused(root, "is not the published file", found, download=True)
    assert not list(root.iterdir())
    monkeypatch.setattr(CIFAR100, "ARCHIVE_MD5", found)
    assert len(load(root, download=True)) == 300
    monkeypatch.setattr(CIFAR100, "URL", "file:///nowhere")
    assert len(load(root, download=True)) == 300
    refused(tmp_path / "other", "could not be downloaded", download=True)


@pytest.mark.parametrize(
    ("options", "word"), [({"split": "val"}, "split"), ({"labels": "corse"}, "coarse")]
)
def test_unknown_options_are_refused(options: dict[str, Any], word: str, tmp_path: Path) -> None:
    refused(tmp_path, word, "Known", **options)
