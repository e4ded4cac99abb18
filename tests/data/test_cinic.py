"""CINIC-10 from its folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cls_kd.data import CINIC10
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS


@pytest.mark.parametrize(
    ("split", "count"), [("train", 30), ("valid", 30), ("trainvalid", 60), ("test", 20)]
)
def test_parts(split: str, count: int, cinic10_root: Path) -> None:
    cinic = DATASETS.build(dict(type="CINIC10", data_root=str(cinic10_root), split=split))
    assert len(cinic) == count
    assert np.bincount(cinic.get_gt_labels()).tolist() == [count // 10] * 10
    assert cinic[0]["img"].shape == (32, 32, 3)


def test_every_image_is_that_of_its_file(cinic10_root: Path) -> None:
    cinic = CINIC10(str(cinic10_root), "trainvalid")
    names = cinic.metainfo["classes"]
    files = [
        file
        for part in ("train", "valid")
        for name in names
        for file in sorted((cinic10_root / part / name).iterdir())
    ]
    for file, item in zip(files, cinic, strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), item["img"])
        assert file.parent.name == names[item["gt_label"]]


def test_gray_images_become_colors(cinic10_root: Path, tmp_path: Path) -> None:
    shutil.copytree(cinic10_root / "test", tmp_path / "test")
    file = min((tmp_path / "test" / "airplane").iterdir())
    gray = np.arange(1024, dtype=np.uint8).reshape(32, 32)
    Image.fromarray(gray).save(file)
    assert np.array_equal(CINIC10(str(tmp_path), "test")[0]["img"], np.stack([gray] * 3, 2))


@pytest.mark.parametrize("damage", ["cut", "text", "size", "jpeg"])
def test_a_bad_file_is_named(damage: str, cinic10_root: Path, tmp_path: Path) -> None:
    shutil.copytree(cinic10_root / "test", tmp_path / "test")
    file = min((tmp_path / "test" / "truck").iterdir())
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-200])
    elif damage == "text":
        file.write_text("not a picture")
    else:
        size = (31, 32) if damage == "size" else (32, 32)
        Image.new("RGB", size).save(file, "JPEG" if damage == "jpeg" else "PNG")
    with pytest.raises(
        UserError, match=rf"{file.name} .*{'31, 32' if damage == 'size' else 'dama'}"
    ):
        CINIC10(str(tmp_path), "test")


def test_missing_and_other_folders_are_named(cinic10_root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder train.*https.*make_synthetic"):
        CINIC10(str(tmp_path), "train")
    shutil.copytree(cinic10_root / "test", tmp_path / "test")
    (tmp_path / "test" / "truck").rename(tmp_path / "test" / "lorry")
    with pytest.raises(UserError, match="lorry, truck"):
        CINIC10(str(tmp_path), "test")
    with pytest.raises(UserError, match=r"no split 'val'.*valid"):
        CINIC10(str(tmp_path), "val")


def test_empty_folders_are_refused(cinic10_root: Path, tmp_path: Path) -> None:
    for name in CINIC10.METAINFO["classes"]:
        (tmp_path / "test" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="no PNG"):
        CINIC10(str(tmp_path), "test")
