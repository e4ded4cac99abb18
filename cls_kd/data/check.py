"""Every image of a data set read and decoded: sizes, classes, unreadable files, duplicates."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch.utils.data import DataLoader, Dataset

_BATCH = 32
_DIGEST = 16
RARE = 0.1
"""A class with fewer images than this fraction of the median class is called rare (ours)."""


class Scanned(NamedTuple):
    """One image; ``error`` is empty where it could be decoded."""

    label: int
    height: int
    width: int
    mode: str
    digest: bytes
    error: str


@dataclass(frozen=True)
class Part:
    """Scan of a split of N images; some tens of bytes for each.

    Attributes:
        labels: (N,) int64; -1 where an image has no single label.
        sizes: Height and width in pixels, (N, 2) int32; 0 where unreadable.
        modes: Number of images by Pillow's mode: ``RGB``, ``L`` (gray), ``CMYK``, ...
        digests: BLAKE2b of size and RGB pixels, (N, 16) uint8; 0 where unreadable.
        unreadable: Index in the data set to the reason.
        classes: Names of the classes.
        name_of: Index in the data set to the path of the image, or to its number.
    """

    labels: np.ndarray
    sizes: np.ndarray
    modes: Mapping[str, int]
    digests: np.ndarray
    unreadable: Mapping[int, str]
    classes: Sequence[str]
    name_of: Callable[[int], str]

    def counts(self) -> np.ndarray:
        """Number of images of each class."""
        known = self.labels[self.labels >= 0]
        return np.bincount(known, minlength=len(self.classes))


class _Scan(Dataset):
    """Decodes in the loader's workers; what comes back is a few bytes an image."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Scanned:
        info = self.dataset.get_data_info(index)
        label = np.asarray(info.get("gt_label", -1)).ravel()
        single = int(label[0]) if len(label) == 1 else -1
        try:
            image = _image(info)
            pixels = image.convert("RGB").tobytes()
        except Exception as error:  # the bytes are not trusted; decoders raise what they like
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return Scanned(single, 0, 0, "", bytes(_DIGEST), reason[0][:200])
        hasher = hashlib.blake2b(repr(image.size).encode(), digest_size=_DIGEST)
        hasher.update(pixels)
        return Scanned(single, image.height, image.width, image.mode, hasher.digest(), "")


def scan(dataset: Any, workers: int = 0, advance: Callable[[int], None] = lambda _: None) -> Part:
    """Read and decode every image of a data set once.

    Files are decoded by Pillow, which refuses an image that is cut short.

    Args:
        dataset: With ``get_data_info``, as mmpretrain's; items have ``img_path`` or ``img``.
        workers: Processes that decode; 0 for this one.
        advance: Called with the number of images done since the last call.
    """
    count = len(dataset)
    labels = np.empty(count, np.int64)
    sizes = np.zeros((count, 2), np.int32)
    digests = np.zeros((count, _DIGEST), np.uint8)
    modes: dict[str, int] = {}
    unreadable: dict[int, str] = {}
    loader = DataLoader(_Scan(dataset), _BATCH, num_workers=workers, collate_fn=list)
    index = 0
    for batch in loader:
        for item in batch:
            labels[index] = item.label
            if item.error:
                unreadable[index] = item.error
            else:
                sizes[index] = item.height, item.width
                digests[index] = np.frombuffer(item.digest, np.uint8)
                modes[item.mode] = modes.get(item.mode, 0) + 1
            index += 1
        advance(len(batch))
    return Part(
        labels, sizes, modes, digests, unreadable, _classes(dataset, labels), _namer(dataset)
    )


Member = tuple[str, int]
"""Name of a split, index in it."""


def duplicates(parts: Mapping[str, Part]) -> list[list[Member]]:
    """Groups of images of the same pixels and size, in any of the splits."""
    names = list(parts)
    digests = np.concatenate([parts[name].digests for name in names])
    owner = np.repeat(np.arange(len(names)), [len(parts[name].labels) for name in names])
    position = np.concatenate([np.arange(len(parts[name].labels)) for name in names])
    readable = digests.any(axis=1)
    keys = np.ascontiguousarray(digests[readable]).view(f"V{_DIGEST}").ravel()
    owner, position = owner[readable], position[readable]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    twice = np.flatnonzero(counts[inverse] > 1)
    twice = twice[np.argsort(inverse[twice], kind="stable")]
    groups = np.split(twice, np.flatnonzero(np.diff(inverse[twice])) + 1) if len(twice) else []
    return [[(names[owner[row]], int(position[row])) for row in group] for group in groups]


def _image(info: Mapping[str, Any]) -> Image.Image:
    if "img" in info:
        return Image.fromarray(np.squeeze(np.asarray(info["img"])))
    return decode(Path(info["img_path"]).read_bytes())


def decode(content: bytes) -> Image.Image:
    """An image file, decoded by Pillow, which refuses a file that is cut short.

    Raises:
        ValueError: It is empty, damaged, cut short or no image. Decoders may raise other errors.
    """
    if not content:
        raise ValueError("the file is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except UnidentifiedImageError:
        raise ValueError("not an image of a format that Pillow knows") from None
    except OSError as error:
        raise ValueError(f"damaged or cut short: {error}") from None
    return image


def _classes(dataset: Any, labels: np.ndarray) -> tuple[str, ...]:
    names = (getattr(dataset, "metainfo", None) or {}).get("classes")
    return tuple(names) if names else tuple(map(str, range(int(labels.max(initial=-1)) + 1)))


def _namer(dataset: Any) -> Callable[[int], str]:
    def name_of(index: int) -> str:
        return str(dataset.get_data_info(index).get("img_path", f"image {index}"))

    return name_of
