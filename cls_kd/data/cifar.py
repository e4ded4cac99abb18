"""CIFAR-10 and CIFAR-100 from their original files, which are read as data and never unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES, CIFAR100_CATEGORIES

from cls_kd.data.archives import (
    archive_members,
    check_md5,
    download_archive,
    wait_for_archive,
)
from cls_kd.data.cifar100_superclasses import SUPERCLASS_NAMES, SUPERCLASSES
from cls_kd.data.in_memory import ImagesInMemory
from cls_kd.data.pickles import read_pickle
from cls_kd.downloads import is_local_main_process
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import DATASETS

Labels = Literal["fine", "coarse"]


@DATASETS.register_module()
class CIFAR10(ImagesInMemory):
    """CIFAR-10: 50,000 training and 10,000 test images of 32x32 pixels, ten classes [0].

    Read from the original Python version, the folder or the ``.tar.gz`` as it was downloaded.

    [0] https://www.cs.toronto.edu/~kriz/cifar.html

    Args:
        data_root: Where the folder ``cifar-10-batches-py`` or ``cifar-10-python.tar.gz`` is.
        split: 'train' or 'test'.
        checksum: Compare the files' MD5 with the published ones. False takes other data in the same
            format, of any size, such as what ``tools/make_synthetic.py`` writes.
        download: Fetch the archive where there is neither.
        pipeline: Transforms of one sample.
        indices: Keep the first so many images, or these.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.
        device: See `ImagesInMemory`.

    Raises:
        UserError: The data are missing, damaged, or not CIFAR's.
    """

    METAINFO = {"classes": CIFAR10_CATEGORIES}  # noqa: RUF012  (read as a plain dict by mmengine)
    SPLITS = ("train", "test")
    FOLDER = "cifar-10-batches-py"
    ARCHIVE = "cifar-10-python.tar.gz"
    ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
    URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    FILES: dict[str, dict[str, str]] = {  # noqa: RUF012
        "train": {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
    }
    KEYS = {"labels": 10}  # noqa: RUF012  (keys of the labels in a file, and how many classes)

    def __init__(
        self,
        data_root: str = "",
        split: Literal["train", "test"] = "train",
        *,
        checksum: bool = True,
        download: bool = False,
        pipeline: Sequence[Any] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
        device: str = "cpu",
    ) -> None:
        self.checksum, self.download = checksum, download
        self.key = next(iter(self.KEYS))
        super().__init__(
            data_root,
            split,
            pipeline=pipeline,
            indices=indices,
            test_mode=test_mode,
            lazy_init=lazy_init,
            device=device,
        )

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of the split."""
        self._fetch()
        parts = [self._part(name, raw) for name, raw in self._files().items()]
        images = np.concatenate([images for images, _ in parts])
        labels = np.concatenate([labels[self.key] for _, labels in parts])
        return images.reshape(-1, 3, 32, 32), labels

    def _part(self, name: str, raw: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One file: pixels (M, 3072), and labels by their keys."""
        if self.checksum:
            check_md5(raw, self.FILES[self.split][Path(name).name], name)
        values = read_pickle(raw, name)
        lacking = [key for key in ("data", *self.KEYS) if key not in values]
        if lacking:
            raise UserError(
                f"{name} lacks {lacking[0]!r}: it has {', '.join(values) or 'nothing'}."
            )
        pixels = values["data"]
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise UserError(f"{name}: 'data' must be a uint8 array of shape (M, 3072).")
        if pixels.shape[1] != 3072:
            raise UserError(f"{name}: 'data' has rows of {pixels.shape[1]} bytes, not 3072.")
        labels = {
            key: _labels(values[key], len(pixels), count, f"{name}: {key!r}")
            for key, count in self.KEYS.items()
        }
        return pixels, labels

    def _files(self) -> dict[str, bytes]:
        """The files of the split, by name: from the folder, or from the archive."""
        folder = Path(self.data_root, self.FOLDER)
        names = list(self.FILES[self.split])
        try:
            if folder.is_dir():
                return {str(folder / name): (folder / name).read_bytes() for name in names}
            return archive_members(
                Path(self.data_root, self.ARCHIVE), [f"{self.FOLDER}/{n}" for n in names]
            )
        except OSError as error:
            raise UserError(
                f"{type(self).__name__}: {error.filename or folder} cannot be read "
                f"({error.strerror or error}). Remove {folder} and unpack {self.ARCHIVE} again."
            ) from None

    def _fetch(self) -> None:
        """Download where that is asked for; explain where it is not."""
        root = Path(self.data_root)
        archive = root / self.ARCHIVE
        if self.download:
            # One process of each machine fetches; the others then find the file.
            if is_local_main_process() and not self._is_there():
                download_archive(self.URL, archive, self.ARCHIVE_MD5)
            wait_for_archive(self._is_there, archive)
        if not self._is_there():
            raise UserError(
                f"{type(self).__name__} is not in {root.absolute()}: neither the folder "
                f"{self.FOLDER} nor {self.ARCHIVE}. Get {self.URL} and put it there, as it is or "
                "unpacked; or let download=True in the data set's config do that. Data of the same "
                f"form to try things out: python tools/make_synthetic.py "
                f"{type(self).__name__.lower()} {root}"
            )

    def _is_there(self) -> bool:
        root = Path(self.data_root)
        return (root / self.FOLDER).is_dir() or (root / self.ARCHIVE).is_file()


@DATASETS.register_module()
class CIFAR100(CIFAR10):
    """CIFAR-100: 50,000 training and 10,000 test images of 32x32 pixels, 100 classes [0].

    The classes form 20 groups: ``metainfo['superclasses']`` is the group of each class, and
    ``metainfo['superclass_names']`` their names. Files whose labels contradict it are refused.

    [0] https://www.cs.toronto.edu/~kriz/cifar.html

    Args:
        data_root: Where the folder ``cifar-100-python`` or ``cifar-100-python.tar.gz`` is.
        split: 'train' or 'test'.
        labels: 'fine' for the 100 classes, 'coarse' for the 20 groups.
        checksum: See `CIFAR10`.
        download: See `CIFAR10`.
        pipeline: Transforms of one sample.
        indices: Keep the first so many images, or these.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.
        device: See `ImagesInMemory`.

    Raises:
        UserError: The data are missing, damaged, or not CIFAR's.
    """

    METAINFO = {  # noqa: RUF012
        "classes": CIFAR100_CATEGORIES,
        "superclasses": SUPERCLASSES,
        "superclass_names": SUPERCLASS_NAMES,
    }
    FOLDER = "cifar-100-python"
    ARCHIVE = "cifar-100-python.tar.gz"
    ARCHIVE_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
    URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    FILES = {  # noqa: RUF012
        "train": {"train": "16019d7e3df5f24257cddd939b257f8d"},
        "test": {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    }
    KEYS = {"fine_labels": 100, "coarse_labels": 20}  # noqa: RUF012

    def __init__(
        self,
        data_root: str = "",
        split: Literal["train", "test"] = "train",
        *,
        labels: Labels = "fine",
        checksum: bool = True,
        download: bool = False,
        pipeline: Sequence[Any] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
        device: str = "cpu",
    ) -> None:
        if labels not in get_args(Labels):
            hint = did_you_mean(str(labels), get_args(Labels))
            raise UserError(f"CIFAR100 has no labels {labels!r}.{hint}")
        self._coarse = labels == "coarse"
        super().__init__(
            data_root,
            split,
            checksum=checksum,
            download=download,
            pipeline=pipeline,
            indices=indices,
            test_mode=test_mode,
            lazy_init=True,
            device=device,
        )
        if self._coarse:
            self.key = "coarse_labels"
            self._metainfo = {"classes": SUPERCLASS_NAMES}
        if not lazy_init:
            self.full_init()

    def _part(self, name: str, raw: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        pixels, labels = super()._part(name, raw)
        wrong = np.flatnonzero(
            np.asarray(SUPERCLASSES)[labels["fine_labels"]] != labels["coarse_labels"]
        )
        if len(wrong):
            fine, coarse = (labels[key][wrong[0]] for key in self.KEYS)
            raise UserError(
                f"{name} is mislabeled: image {wrong[0]} is of class {fine} "
                f"({CIFAR100_CATEGORIES[fine]}), which is not in group {coarse} "
                f"({SUPERCLASS_NAMES[coarse]}); {len(wrong)} images in all."
            )
        return pixels, labels


def _labels(values: Any, count: int, classes: int, where: str) -> np.ndarray:
    try:
        labels = np.asarray(values)
    except (TypeError, ValueError):
        labels = np.array(None)
    if labels.ndim != 1 or (len(labels) and labels.dtype.kind not in "iu"):
        raise UserError(f"{where} must be a list of whole numbers.")
    if len(labels) != count:
        raise UserError(f"{where} has {len(labels)} labels for {count} images.")
    if count and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{where} has labels from {labels.min()} to {labels.max()}; there are {classes} "
            f"classes (0 to {classes - 1})."
        )
    return labels.astype(np.int64)
