"""Loading errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmcv.transforms import BaseTransform, LoadImageFromFile

from cls_kd.errors import UserError


class UnreadableImageError(UserError):
    """A decoder refuses an image; the message names the file."""


class NamedLoading(BaseTransform):
    """A loading step whose failure names the file.

    A missing file, or one that may not be read, keeps its own error, which names it already.

    Args:
        step: The step, such as ``LoadImageFromFile``.

    Raises:
        UnreadableImageError: When it is called: the file is empty, damaged or not an image.
    """

    def __init__(self, step: BaseTransform) -> None:
        self.step = step

    def transform(self, results: dict[str, Any]) -> Any:
        """Load."""
        try:
            return self.step(results)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            raise
        except Exception as error:
            raise unreadable(str(results.get("img_path", "of a sample")), error) from error

    def __repr__(self) -> str:
        return repr(self.step)


def unreadable(path: str, error: BaseException) -> UnreadableImageError:
    """The error for an image that a decoder refuses, with the decoder's first line."""
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        return UnreadableImageError(
            f"The image {path} cannot be read: the file is empty (0 bytes).{_HINT}"
        )
    if "CV_IO_MAX_IMAGE" in str(error) or "decompression bomb" in str(error):
        return UnreadableImageError(
            f"The image {path} was refused: it states more pixels than any picture has (the bound "
            f"is that of the environment variable OPENCV_IO_MAX_IMAGE_PIXELS).{_HINT}"
        )
    lines = str(error).strip().splitlines()
    reason = "" if isinstance(error, AssertionError) or not lines else f" ({lines[0][:200]})"
    return UnreadableImageError(
        f"The image {path} cannot be read: it is damaged, cut short or not an image.{reason}{_HINT}"
    )


_HINT = (
    " `cls-kd check-data CONFIG` lists all such files; train_dataloader.on_error='skip' leaves "
    "them out of the training."
)


def name_unreadable(dataset: Any) -> None:
    """Let every loading step of a data set, also inside wrappers, name what it cannot read."""
    for inner in datasets_in(dataset):
        steps = getattr(getattr(inner, "pipeline", None), "transforms", None)
        if isinstance(steps, list):
            steps[:] = [
                NamedLoading(step) if isinstance(step, LoadImageFromFile) else step
                for step in steps
            ]


def datasets_in(dataset: Any) -> Iterator[Any]:
    """A data set, and those that it wraps or joins."""
    yield dataset
    inner = [getattr(dataset, "dataset", None), *(getattr(dataset, "datasets", None) or ())]
    for part in inner:
        if part is not None:
            yield from datasets_in(part)
