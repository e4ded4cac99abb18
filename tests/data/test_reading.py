"""An image that cannot be read is an error that names the file, wherever it is read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.transforms import LoadImageFromFile, PackInputs
from PIL import Image

from cls_kd.cli.failures import explain
from cls_kd.data import ClassPairs
from cls_kd.data.reading import NamedLoading, name_unreadable
from cls_kd.engine.runner import DistillRunner
from cls_kd.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (5, 4), (60 * number, 9, 9)).save(tmp_path / name / f"{number}.jpg")
    return tmp_path


def dataset(folder: Path, **options: Any) -> CustomDataset:
    pipeline = [dict(type=LoadImageFromFile, **options), dict(type=PackInputs)]
    return CustomDataset(data_root=str(folder), pipeline=pipeline)


def failure(wrapped: Any, workers: int = 0) -> BaseException:
    loader = dict(
        dataset=wrapped,
        batch_size=2,
        num_workers=workers,
        sampler=dict(type="DefaultSampler", shuffle=False),
    )
    with pytest.raises(Exception) as raised:  # noqa: PT011
        list(DistillRunner.build_dataloader(loader, seed=0))
    return raised.value


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("options", [{}, {"imdecode_backend": "pillow"}])
@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty (0 bytes)"), (b"GIF89 not", "damaged, cut short or not")]
)
def test_the_file_is_named(
    content: bytes, words: str, options: dict[str, str], workers: int, folder: Path
) -> None:
    damaged = folder / "dog" / "1 of 2.jpg"
    damaged.write_bytes(content)
    message = explain(failure(dataset(folder, **options), workers))
    assert message is not None
    assert message.startswith(f"The image {damaged} cannot be read: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: RepeatDataset(inner, 2),
        ClassPairs,
        lambda inner: ConcatDataset([inner, inner]),
        lambda inner: ClassPairs(RepeatDataset(inner, 2)),
    ],
)
def test_inside_wrappers(wrap: Any, folder: Path) -> None:
    (folder / "cat" / "0.jpg").write_bytes(b"")
    error = failure(wrap(dataset(folder)))
    assert isinstance(error, UserError)
    assert str(folder / "cat" / "0.jpg") in str(error)


def test_a_missing_file_keeps_its_error(folder: Path) -> None:
    data = dataset(folder)
    (folder / "cat" / "0.jpg").unlink()
    message = explain(failure(data))
    assert message is not None
    assert message.startswith("A file is missing or cannot be read.")
    assert str(folder / "cat" / "0.jpg") in message


def test_a_step_is_wrapped_once(folder: Path) -> None:
    data = dataset(folder)
    for _ in range(2):
        name_unreadable(RepeatDataset(data, 2))
    first, last = data.pipeline.transforms
    assert isinstance(first, NamedLoading)
    assert isinstance(first.step, LoadImageFromFile)
    assert isinstance(last, PackInputs)


def test_a_fault_of_another_step_is_not_the_images(folder: Path) -> None:
    data = dataset(folder)
    data.pipeline.transforms.insert(1, _broken)
    assert isinstance(failure(data), ZeroDivisionError)


def _broken(results: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError


@pytest.mark.parametrize("options", [{}, {"imdecode_backend": "pillow"}])
def test_an_image_that_states_an_absurd_size_is_refused(
    options: dict[str, str], tmp_path: Path
) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for part in (b"IHDR" + header, b"IDAT" + zlib.compress(bytes(99)), b"IEND"):
        content += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    (tmp_path / "large.png").write_bytes(content)
    load = NamedLoading(LoadImageFromFile(**options))
    with pytest.raises(UserError, match=r"large\.png was refused: it states more pixels"):
        load({"img_path": str(tmp_path / "large.png")})
