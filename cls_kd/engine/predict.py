"""Predictions of a trained student for image files, Pillow images and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.device import get_device
from PIL import Image
from torch import Tensor, nn

from cls_kd.data.check import decode
from cls_kd.engine.export import Student
from cls_kd.engine.export.clean_config import inference_pipeline, short_name
from cls_kd.engine.student_source import open_student
from cls_kd.errors import UserError
from cls_kd.registry import TRANSFORMS

ImageLike = str | Path | Image.Image | np.ndarray
"""A file, a Pillow image, or a uint8 array: (H, W, 3) in RGB order, or (H, W)."""

_THREADS = 4


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image.

    Attributes:
        image: Path of the file; of other images their place, ``'image 3'``.
        classes: Names of the classes, the most probable first; numbers where they have no names.
        probabilities: Of these classes, from 0 to 1.
    """

    image: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Unreadable:
    """An image that has no prediction.

    Attributes:
        image: As in ``Prediction``.
        message: Why.
    """

    image: str
    message: str


class Predictor:
    """A student in eval mode, with the transforms and the normalization of its test images.

    Args:
        student: From ``read_student``, or an exported one.

    Attributes:
        network: Normalized images (N, C, H, W) to logits (N, K).
        classes: Names of the classes, in the order of the logits; empty where nothing names them.
        shape: Of one image, (C, H, W).
        note: Where the weights come from.
    """

    def __init__(self, student: Student) -> None:
        self.network: nn.Module = student.network.eval().to(get_device())
        self.classes = list(student.classes)
        self.shape = student.shape
        self.note = student.note
        self._flip = student.to_rgb and student.shape[0] == 3
        self._mean, self._std = (
            torch.tensor(values or empty, device=get_device()).reshape(-1, 1, 1)
            for values, empty in ((student.mean, [0.0]), (student.std, [1.0]))
        )
        self._pipeline = Compose([TRANSFORMS.build(step) for step in _steps(student)])

    def preprocess(self, image: ImageLike) -> Tensor:
        """One image as the network takes it, (C, H, W), on the network's device.

        Raises:
            UserError: The image cannot be read.
        """
        return self._normalized(self._pixels(image, _name(image, 0)))

    def predict(
        self, images: Iterable[ImageLike], top: int = 5, batch_size: int = 64
    ) -> list[Prediction]:
        """The ``top`` most probable classes of each image.

        Raises:
            UserError: An image cannot be read.
        """
        predictions = []
        for outcome in self.outcomes(images, top, batch_size):
            if isinstance(outcome, Unreadable):
                raise UserError(outcome.message)
            predictions.append(outcome)
        return predictions

    def outcomes(
        self, images: Iterable[ImageLike], top: int = 5, batch_size: int = 64
    ) -> Iterator[Prediction | Unreadable]:
        """As ``predict``, one image after the other; what cannot be read is left to the caller."""
        numbered = enumerate(images)
        with ThreadPoolExecutor(_THREADS) as pool:
            while chunk := list(islice(numbered, batch_size)):
                names = [_name(image, position) for position, image in chunk]
                read = list(pool.map(self._try_pixels, [image for _, image in chunk], names))
                predicted = self._predicted(
                    [
                        (name, item)
                        for name, item in zip(names, read, strict=True)
                        if isinstance(item, Tensor)
                    ],
                    top,
                )
                for item in read:
                    yield item if isinstance(item, Unreadable) else next(predicted)

    def _try_pixels(self, image: ImageLike, name: str) -> Tensor | Unreadable:
        try:
            return self._pixels(image, name)
        except UserError as error:
            return Unreadable(name, str(error))

    def _pixels(self, image: ImageLike, name: str) -> Tensor:
        """Transformed, not yet normalized: (C, H, W), uint8, on the CPU."""
        try:
            pixels = _bgr(image)
            size = pixels.shape[:2]
            sample = {"img": pixels, "img_shape": size, "ori_shape": size}
            return self._pipeline(sample)["inputs"]
        except Exception as error:  # the bytes are not trusted; decoders raise what they like
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(f"The image {name} cannot be read: {lines[0][:200]}") from error

    def _normalized(self, pixels: Tensor) -> Tensor:
        moved = pixels.to(self._mean.device, non_blocking=True).float()
        flipped = moved.flip(-3) if self._flip else moved
        return (flipped - self._mean) / self._std

    @torch.no_grad()
    def _predicted(self, named: Sequence[tuple[str, Tensor]], top: int) -> Iterator[Prediction]:
        if not named:
            return
        images = [pixels for _, pixels in named]
        same = len({pixels.shape for pixels in images}) == 1
        batches = [torch.stack(images)] if same else [pixels[None] for pixels in images]
        logits = torch.cat([self.network(self._normalized(batch)) for batch in batches])
        values, places = logits.softmax(1).topk(min(top, logits.shape[1]))
        for (name, _), row, labels in zip(named, values.tolist(), places.tolist(), strict=True):
            yield Prediction(name, tuple(map(self._class_name, labels)), tuple(row))

    def _class_name(self, label: int) -> str:
        return self.classes[label] if self.classes else str(label)


def load_student(
    source: str | Path,
    config: str | Path | Config | None = None,
    *,
    shape: Sequence[int] | None = None,
    branch: int | str | None = None,
) -> Predictor:
    """Read a trained student for predictions. Weights are read as data.

    Args:
        source: The folder of a run (``config.py``, a checkpoint), a checkpoint, or a folder that
            ``cls-kd export`` wrote.
        config: Of a checkpoint that has no ``config.py`` beside it: a file, the name of a packaged
            config, or the config of one run.
        shape: Of one image, (C, H, W). Default: measured on the config's data.
        branch: Of a student of several branches: the place of one, or ``'ensemble'``. Default: what
            its config deploys.

    Raises:
        UserError: There is no student, or its config, data and weights do not fit.
    """
    return Predictor(open_student(source, config, shape=shape, branch=branch))


def predict(
    source: Predictor | str | Path, images: Iterable[ImageLike] | ImageLike, top: int = 5
) -> list[Prediction]:
    """The most probable classes of each image, by a student.

    Args:
        source: A loaded student, or what ``load_student`` takes.
        images: Files, Pillow images or arrays; or one of them.
        top: How many classes of each image.

    Raises:
        UserError: See ``load_student``; or an image cannot be read.
    """
    student = source if isinstance(source, Predictor) else load_student(source)
    if isinstance(images, str | Path | Image.Image | np.ndarray):
        images = [images]
    return student.predict(images, top)


def _steps(student: Student) -> list[Any]:
    """Transforms of an image that is in memory, in BGR order."""
    # Without test data in the config, what the network needs at least.
    steps = student.pipeline or inference_pipeline([{"type": "PackInputs"}], student.shape)
    return [step for step in steps if short_name(step["type"]) != "LoadImageFromFile"]


def _bgr(image: ImageLike) -> np.ndarray:
    """Pixels (H, W, 3), uint8, in BGR order, as mmpretrain loads files."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))[..., ::-1]
    content = Path(image).read_bytes()
    decoded = decode(content)
    # Pixels are OpenCV's, as in training and tests; Pillow refuses what OpenCV would fill up.
    pixels = mmcv.imfrombytes(content)
    return np.asarray(decoded.convert("RGB"))[..., ::-1] if pixels is None else pixels


def _name(image: ImageLike, position: int) -> str:
    return str(image) if isinstance(image, str | Path) else f"image {position}"
