"""Unreadable images of the training data: an error by default, or left out and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from cls_kd.engine.loaders import build_dataloader, build_loader, unreadable_images
from cls_kd.errors import UserError

IMAGES = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of gray images, the value of each its number; two of them are damaged."""
    for number in range(2 * IMAGES):
        path = tmp_path / "ab"[number // IMAGES] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(path)
    (tmp_path / "a" / "02.png").write_bytes(b"no image")
    (tmp_path / "b" / "11.png").write_bytes(b"")
    return tmp_path


def config(folder: Path, **options: Any) -> dict[str, Any]:
    steps = [
        {"type": "mmcv.transforms.LoadImageFromFile"},
        {"type": "mmpretrain.datasets.transforms.PackInputs"},
    ]
    return {
        "batch_size": 4,
        "num_workers": 0,
        "sampler": {"type": "mmengine.dataset.DefaultSampler", "shuffle": False},
        "dataset": {
            "type": "mmpretrain.datasets.CustomDataset",
            "data_root": str(folder),
            "pipeline": steps,
        },
        **options,
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_the_next_image_takes_the_place_of_one_that_cannot_be_read(
    folder: Path, workers: int
) -> None:
    loader = build_dataloader(config(folder, on_error="skip", num_workers=workers))
    for _ in range(2):
        values = [int(value) for batch in loader for value in batch["inputs"][:, 0, 0, 0]]
        assert values == [0, 1, 3, 3, 4, 5, 6, 7, 8, 9, 10, 0]
    names = [Path(name).name for name in unreadable_images(loader.dataset)]
    assert names == ["02.png", "11.png"]


def test_by_default_the_first_one_ends_the_training(folder: Path) -> None:
    loader = build_dataloader(config(folder))
    with pytest.raises(UserError, match=r"02\.png cannot be read.*on_error='skip'"):
        list(loader)
    assert unreadable_images(loader.dataset) == []


def test_what_cannot_be_left_out(folder: Path) -> None:
    cfg = Config({"val_dataloader": config(folder, on_error="skip"), "randomness": {"seed": 0}})
    with pytest.raises(UserError, match="figures are of all images"):
        build_loader(cfg, "val_dataloader")
    with pytest.raises(UserError, match="'raise' or 'skip', not 'ignore'"):
        build_dataloader(config(folder, on_error="ignore"))
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    loader = build_dataloader(config(folder, on_error="skip"))
    with pytest.raises(UserError, match="None of the 12 images"):
        list(loader)
