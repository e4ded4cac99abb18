"""Random crops and flips of a whole batch, drawn without a generator."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import hash_integers
from cls_kd.registry import TRANSFORMS
from cls_kd.signals.time import TrainingTime


@TRANSFORMS.register_module()
class RandomCropFlip:
    """Crop each image at random from itself, padded by zeros, and flip every second one.

    The augmentation of CIFAR, for a whole batch at once and on the device where it lies, before
    images are normalized. Which crop a sample gets is a hash of (seed, epoch, index in the data
    set): the same in batches of any size, in any number of processes, and after a resume. Where
    training counts steps, or has one epoch only, the step replaces the epoch.

    Args:
        padding: Pixels on each side.
        flip: Also flip from left to right, every second image.

    Attributes:
        time: The training time; the distiller's, once it has one.
    """

    def __init__(self, padding: int = 4, *, flip: bool = True) -> None:
        if padding < 0:
            raise UserError(f"RandomCropFlip: padding={padding} must not be negative.")
        self.padding, self.flip = padding, flip
        self.time = TrainingTime()

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """Images (N, C, H, W) and their indices in the data set, (N,) int64."""
        offsets = 2 * self.padding + 1
        outcome = self.outcome(index.to(images.device, non_blocking=True), self.time)
        offset = outcome % offsets**2
        flipped = outcome >= offsets**2
        return crop_flip(images, offset // offsets, offset % offsets, flipped, self.padding)

    @property
    def outcomes(self) -> int:
        """Number of outcomes of an image: crops, and twice as many with flips."""
        return (2 * self.padding + 1) ** 2 * (2 if self.flip else 1)

    def outcome(self, index: Tensor, time: TrainingTime) -> Tensor:
        """The outcome of each sample, (N,) int64 in 0 .. outcomes - 1.

        Args:
            index: Indices in the data set, (N,) int64.
            time: The training time.
        """
        crops = (2 * self.padding + 1) ** 2
        drawn = draw(index, 2 * crops, time)
        return drawn if self.flip else drawn % crops

    def __repr__(self) -> str:
        return f"RandomCropFlip(padding={self.padding}, flip={self.flip})"


def crop_flip(images: Tensor, down: Tensor, right: Tensor, flip: Tensor, padding: int) -> Tensor:
    """Cut each image out of itself with a border of zeros, then flip those that are to be.

    Args:
        images: (N, C, H, W), of any type.
        down: First row of each crop in the image with its border, (N,) in 0 .. 2 * padding.
        right: First column, likewise.
        flip: Which are flipped from left to right, (N,) bool.
        padding: Width of the border.
    """
    height, width = images.shape[-2:]
    columns = torch.arange(width, device=images.device)
    columns = right[:, None] + torch.where(flip[:, None], width - 1 - columns, columns)
    rows = down[:, None] + torch.arange(height, device=images.device)
    # One position in the padded image for each pixel, the same in all channels.
    positions = rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]
    positions = positions.flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return F.pad(images, [padding] * 4).flatten(2).gather(2, positions).view_as(images)


def draw(index: Tensor, choices: int, time: TrainingTime) -> Tensor:
    """A number in 0 .. choices - 1 for each index in the data set, in this epoch of this run."""
    key = _key(time.seed, time.step if time.max_epochs == 1 else time.epoch)
    return (hash_integers(index + key) & (2**63 - 1)) % choices


@lru_cache(maxsize=1)
def _key(seed: int, epoch: int) -> int:
    return int(hash_integers(hash_integers(torch.tensor(seed)) + epoch))
