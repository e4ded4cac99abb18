"""Real handwritten digits that are already on the machine: no download, seconds to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from mmpretrain.datasets import BaseDataset

from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import DATASETS

Split = Literal["train", "val", "test", "trainval"]

_CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Which positions within a class, counted modulo 8 in the order of the collection.
_POSITIONS: dict[str, tuple[int, ...]] = {
    "train": (0, 1, 2, 3, 4),
    "val": (5,),
    "test": (6, 7),
    "trainval": (0, 1, 2, 3, 4, 5),
}


@DATASETS.register_module()
class Digits(BaseDataset):
    """The 1,797 gray 8x8 digits bundled with scikit-learn, ten classes.

    They are the test split of the UCI collection "Optical Recognition of Handwritten Digits" [0].

    *Split.* No random generator decides: within each class, in the order of the collection, the
    images at positions 0-4 modulo 8 train, 5 validates and 6-7 test. This gives 1,135 / 223 / 439
    images (63.2 / 12.4 / 24.4 %). The same 13 writers are in every split.

    *Labels.* ``labelled`` keeps a fixed, stratified subset of the split, spread over the order of
    the collection; a smaller subset is contained in every larger one.

    *Only.* ``only`` keeps the images of some digits, which then are the classes: a data set to
    train on, and with the other digits one to transfer to.

    Items hold ``img`` (uint8, 8x8x1, gray levels 0-16 scaled to 0-255), ``gt_label`` and
    ``sample_idx``.

    [0] https://archive.ics.uci.edu/dataset/80

    Args:
        split: 'train', 'val', 'test' or 'trainval' (train and val).
        labelled: Keep this many images in all (an int; classes differ by one at most) or this
            fraction of each class (a float in (0, 1]). Default: all. Only for 'train' and
            'trainval'.
        only: Digits to keep, such as ``[5, 6, 7]``: classes 0, 1 and 2 then. Default: all ten.
        pipeline: Transforms of one sample.
        indices: Keep the first so many, or these, of what is left.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.
    """

    METAINFO = {"classes": _CLASSES}  # noqa: RUF012  (read as a plain dict by mmengine)

    def __init__(
        self,
        split: Split = "train",
        *,
        labelled: float | int | None = None,
        only: Sequence[int] | None = None,
        pipeline: Sequence[Any] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        if split not in _POSITIONS:
            raise UserError(
                f"Digits has no split {split!r}.{did_you_mean(str(split), get_args(Split))}"
            )
        if labelled is not None and split not in ("train", "trainval"):
            raise UserError(f"labelled={labelled} is for training; the {split} split is whole.")
        self.split = split
        self.labelled = labelled
        self.digits = tuple(range(len(_CLASSES)) if only is None else only)
        if len(set(self.digits)) < max(len(self.digits), 2) or set(self.digits) - set(range(10)):
            raise UserError(f"only={only}: give two or more digits of 0 to 9, each once.")
        super().__init__(
            ann_file="",
            metainfo={"classes": tuple(_CLASSES[digit] for digit in self.digits)},
            pipeline=pipeline,
            indices=indices,
            # So few items need no packing, which collects garbage in the whole process first.
            serialize_data=False,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Images and labels of the split, in the order of the collection."""
        images, labels = _read()
        chosen = choose(labels, _POSITIONS[self.split], self.labelled, self.digits)
        label_of = {digit: label for label, digit in enumerate(self.digits)}
        return [{"img": images[i], "gt_label": label_of[int(labels[i])]} for i in chosen]

    def extra_repr(self) -> list[str]:
        """The split, in place of a path."""
        return [f"Split: \t{self.split}", f"Labelled: \t{self.labelled or 'all'}"]


def choose(
    labels: np.ndarray,
    positions: Sequence[int],
    labelled: float | int | None,
    digits: Sequence[int] = range(len(_CLASSES)),
) -> np.ndarray:
    """Positions in the collection of a split, or of its labeled subset, in ascending order.

    Args:
        labels: Class of every image of the collection, (1797,).
        positions: Positions within a class, modulo 8, that belong to the split.
        labelled: See `Digits`.
        digits: Which classes.
    """
    members = []
    for digit in digits:
        images = np.flatnonzero(labels == digit)
        members.append(images[np.isin(np.arange(len(images)) % 8, positions)])
    if labelled is not None:
        counts = _counts(labelled, [len(images) for images in members])
        members = [_spread(images, n) for images, n in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(members))


def _counts(labelled: float | int, available: Sequence[int]) -> list[int]:
    """Number of images to keep of each class."""
    if isinstance(labelled, float):
        if not 0 < labelled <= 1:
            raise UserError(f"labelled={labelled} as a fraction must be in (0, 1].")
        return [max(1, round(labelled * count)) for count in available]
    each, more = divmod(labelled, len(available))
    counts = [each + (label < more) for label in range(len(available))]
    if each < 1 or any(count > most for count, most in zip(counts, available, strict=True)):
        raise UserError(
            f"labelled={labelled} images cannot be drawn evenly: give {len(available)} to "
            f"{min(available) * len(available)}, or a fraction as a float."
        )
    return counts


def _spread(members: np.ndarray, count: int) -> np.ndarray:
    """``count`` of ``members``, evenly spread over their order (multiples of the golden ratio)."""
    order = np.argsort(np.arange(len(members)) * 2654435769 % 2**32)
    return members[order[:count]]


def _read() -> tuple[np.ndarray, np.ndarray]:
    """All images, uint8 (1797, 8, 8, 1), and their labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UserError(
            "Digits are bundled with scikit-learn: pip install scikit-learn."
        ) from error
    images, labels = load_digits(return_X_y=True)
    images = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return images, labels
