"""CINIC-10 from its folders of PNG files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES
from PIL import Image

from cls_kd.data.in_memory import ImagesInMemory
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS

_FOLDERS = {
    "train": ("train",),
    "valid": ("valid",),
    "trainvalid": ("train", "valid"),
    "test": ("test",),
}
_URL = "https://datashare.ed.ac.uk/handle/10283/3192"
_SIZE = 32
_CHUNK = 256  # files a thread reads before it asks for more


@DATASETS.register_module()
class CINIC10(ImagesInMemory):
    """CINIC-10: 270,000 images of 32x32 pixels, ten classes, in three equal splits [0].

    Images of CIFAR-10, and images of ImageNet in its size. All files of a split are read once, into
    one array; the 90,000 of a split take about 280 MB.

    [0] CINIC-10 is not ImageNet or CIFAR-10, arXiv:1810.03505, github.com/BayesWatch/cinic-10.

    Args:
        data_root: Where the folders ``train``, ``valid`` and ``test`` are, each with one folder of
            PNG files a class.
        split: 'train', 'valid', 'trainvalid' (both) or 'test'.
        pipeline: Transforms of one sample.
        indices: Keep the first so many images, or these.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.

    Raises:
        UserError: The folders are missing or others, or a file is no image of 32x32 pixels.
    """

    METAINFO = {"classes": CIFAR10_CATEGORIES}  # noqa: RUF012  (read as a plain dict by mmengine)
    SPLITS = tuple(_FOLDERS)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels: by split, then by class, then by name of the file."""
        files, labels = [], []
        for part in _FOLDERS[self.split]:
            for label, folder in enumerate(self._class_folders(Path(self.data_root, part))):
                names = sorted(file for file in os.listdir(folder) if file.endswith(".png"))
                files += [str(folder / name) for name in names]
                labels += [label] * len(names)
        if not files:
            raise UserError(f"CINIC10: there is no PNG file in {Path(self.data_root).absolute()}.")
        images = np.empty((len(files), 3, _SIZE, _SIZE), np.uint8)

        def fill(start: int) -> None:
            for index in range(start, min(start + _CHUNK, len(files))):
                images[index] = _image(files[index])

        # Pillow decodes without holding Python's lock.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(fill, range(0, len(files), _CHUNK)))
        return images, np.asarray(labels)

    def _class_folders(self, part: Path) -> list[Path]:
        if not part.is_dir():
            raise UserError(
                f"CINIC10 is not in {Path(self.data_root).absolute()}: there is no folder "
                f"{part.name}. Get CINIC-10.tar.gz from {_URL} and unpack it there. Data of the "
                "same form to try things out: python tools/make_synthetic.py cinic10 "
                f"{self.data_root}"
            )
        present = {folder.name for folder in part.iterdir() if folder.is_dir()}
        odd = sorted(present ^ set(CIFAR10_CATEGORIES))
        if odd:
            raise UserError(
                f"CINIC10: the folders in {part} must be the ten classes; missing or unknown: "
                f"{', '.join(odd[:6])}."
            )
        return [part / name for name in CIFAR10_CATEGORIES]


def _image(file: str) -> np.ndarray:
    try:
        with Image.open(file, formats=["PNG"]) as image:
            if image.size != (_SIZE, _SIZE):
                raise UserError(f"CINIC10: {file} has {image.size} pixels, not ({_SIZE}, {_SIZE}).")
            # Some are gray.
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"CINIC10: {file} cannot be read: it is damaged or cut short.") from error
