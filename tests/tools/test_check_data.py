"""The check of the data: real files, damaged and duplicated on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.driver import PAIR, Outcome, call

CONFIG = """
def loader(split):
    folder = dict(type='CustomDataset', data_root=split, pipeline=[])
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(dataset=folder, sampler=sampler, num_workers=1, batch_size=2)


train_dataloader, val_dataloader = loader({train!r}), loader({val!r})
test_dataloader = loader({val!r})
del loader
"""


def picture(seed: int, size: tuple[int, int] = (12, 10)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for split, first in (("train", 0), ("val", 100)):
        for place, name in enumerate(("ape", "bat", "cow")):
            (root / split / name).mkdir(parents=True)
            for number in range(3):
                path = root / split / name / f"{number}.png"
                picture(first + 10 * place + number).save(path)
    write = root / "config.py"
    write.write_text(CONFIG.format(train=str(root / "train"), val=str(root / "val")))
    return root


def check(root: Path, out: Path) -> tuple[Outcome, dict]:
    outcome = call("check_data.py", root / "config.py", "--json", out)
    return outcome, json.loads(out.read_text())


def test_good_data_then_spoiled(root: Path, tmp_path: Path) -> None:
    outcome, found = check(root, tmp_path / "good.json")
    assert outcome.code == 0, outcome.err
    assert list(found["splits"]) == ["train", "val = test"]
    train = found["splits"]["train"]
    assert train["images"] == 9
    assert train["images_of_class"] == {"ape": 3, "bat": 3, "cow": 3}
    assert train["height"] == {"min": 10, "median": 10.0, "max": 10}
    assert train["modes"] == {"RGB": 9}
    assert found["problems"] == []

    train_dir, val_dir = root / "train", root / "val"
    (train_dir / "ape" / "0.png").write_bytes(b"")
    whole = (train_dir / "ape" / "1.png").read_bytes()
    (train_dir / "ape" / "1.png").write_bytes(whole[: len(whole) // 2])
    picture(5, (40, 30)).convert("CMYK").save(train_dir / "bat" / "large.jpg")
    picture(6, (8, 8)).convert("L").save(train_dir / "bat" / "gray.png")
    # The same pixels in another format, in another class, in another part.
    picture(10).save(train_dir / "bat" / "again.bmp")
    picture(20).save(train_dir / "bat" / "cow.png")
    picture(21).save(val_dir / "cow" / "seen.bmp")
    (train_dir / "dog").mkdir()
    (val_dir / "dog").mkdir()

    outcome, found = check(root, tmp_path / "spoiled.json")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    train = found["splits"]["train"]
    reasons = {Path(one["image"]).name: one["reason"] for one in train["unreadable"]}
    assert reasons["0.png"] == "the file is empty (0 bytes)"
    assert set(reasons) == {"0.png", "1.png"}
    assert train["modes"] == {"RGB": 9, "CMYK": 1, "L": 1}
    assert (train["width"]["min"], train["width"]["max"]) == (8, 40)
    assert train["empty_classes"] == ["dog"]

    def names(key: str) -> list[set[str]]:
        groups = [{Path(one["image"]).as_posix() for one in group} for group in found[key]]
        return [{path.removeprefix(f"{root.as_posix()}/") for path in group} for group in groups]

    within = names("duplicates_within_a_split")
    assert {"train/bat/0.png", "train/bat/again.bmp"} in within
    assert {"train/cow/0.png", "train/bat/cow.png"} in within
    assert len(within) == 2
    assert names("duplicates_between_splits") == [{"train/cow/1.png", "val/cow/seen.bmp"}]
    assert names("same_image_with_different_labels") == [{"train/cow/0.png", "train/bat/cow.png"}]
    assert found["problems"] == [
        "2 images of train cannot be read",
        "1 images are in several splits",
        "1 images have several labels",
    ]
    assert "problem: 2 images of train cannot be read" in outcome.out
    assert str(train_dir / "ape" / "0.png") in outcome.out


def test_images_in_memory(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    outcome = call("check_data.py", PAIR, "--json", out)
    found = json.loads(out.read_text())
    assert outcome.code == int(bool(found["problems"])), outcome.err
    images = {name: facts["images"] for name, facts in found["splits"].items()}
    assert images == {"train": 100, "val": 223, "test": 439}
    assert found["splits"]["train"]["modes"] == {"L": 100}


def test_a_folder_that_is_not_there(root: Path) -> None:
    call("check_data.py", root / "config.py", "--json", "/nowhere/x.json").refused("/nowhere")
