"""Data sets of small images, kept in memory and loaded as whole batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.adapters.samples import BatchSamples
from cls_kd.errors import UserError, did_you_mean


class ImagesInMemory(BaseDataset):
    """Images of one size as one uint8 array, and their labels.

    Items hold ``img`` (uint8, H x W x 3, RGB), ``gt_label`` and ``sample_idx``, for mmpretrain's
    transforms. With ``PackInputs`` as the only transform a loader gets whole batches:
    ``inputs`` (N, 3, H, W) uint8 and `BatchSamples`. Random crops and flips then belong to
    the data preprocessor (`RandomCropFlip`), which draws them for the batch, and on the device.

    A subclass lists its splits in ``SPLITS``, and reads one in ``read``.

    Args:
        data_root: Folder of the data.
        split: The split.
        pipeline: Transforms of one sample.
        indices: Keep the first so many, or these.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.
        device: Where images and labels lie, and so the batches: ``'cuda'`` spares each step a copy
            (CIFAR-100's training images are 154 MB). For whole batches only, and for loaders
            without workers. Default: the CPU.

    Raises:
        UserError: There is no such split, or ``device`` with transforms of single images.
    """

    SPLITS: tuple[str, ...] = ()

    def __init__(
        self,
        data_root: str = "",
        split: str = "train",
        *,
        pipeline: Sequence[Any] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
        device: str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        if split not in self.SPLITS:
            hint = did_you_mean(str(split), self.SPLITS)
            raise UserError(f"{type(self).__name__} has no split {split!r}.{hint}")
        self.split = split
        super().__init__(
            ann_file="",
            data_root=str(data_root),
            pipeline=pipeline,
            indices=indices,
            # The images lie in one array already; what is listed are rows of it.
            serialize_data=False,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )
        if self.device.type != "cpu" and not self._packs_only:
            raise UserError(
                f"{type(self).__name__}: device={device!r} is for whole batches, with PackInputs "
                "as the only transform; transforms of single images run on the CPU."
            )

    @abstractmethod
    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Images (M, 3, H, W) uint8, and their labels (M,)."""

    def load_data_list(self) -> list[Any]:
        """Read the images; what is listed are rows of their array."""
        images, labels = self.read()
        self.images = torch.from_numpy(np.require(images, np.uint8, ["C", "W"])).to(self.device)
        self.labels = torch.from_numpy(np.asarray(labels, np.int64)).to(self.device)
        return list(range(len(self.images)))

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """One item, before the pipeline."""
        self.full_init()
        row = self.data_list[idx]
        return {
            "img": self.images[row].permute(1, 2, 0).cpu().numpy().copy(),
            "gt_label": int(self.labels[row]),
            "sample_idx": idx if idx >= 0 else len(self) + idx,
        }

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """A batch for the loader; or a list of items, where the pipeline does more."""
        if not self._packs_only:
            return [self[index] for index in indices]
        self.full_init()
        rows = torch.tensor([self.data_list[index] for index in indices]).to(self.device)
        samples = BatchSamples(self.labels[rows], torch.tensor(indices).to(self.device))
        return _Whole(inputs=self.images.index_select(0, rows), data_samples=samples)

    def get_gt_labels(self) -> np.ndarray:
        """All labels."""
        self.full_init()
        return self.labels.cpu().numpy()[self.data_list]

    def extra_repr(self) -> list[str]:
        """Where the images are from, in place of mmpretrain's annotation file."""
        return [f"Folder: \t{self.data_root}", f"Split: \t{self.split}"]

    @property
    def _packs_only(self) -> bool:
        steps = self.pipeline.transforms
        return (
            len(steps) == 1
            and type(steps[0]) is PackInputs
            and steps[0].input_key == "img"
            and not steps[0].algorithm_keys
        )

    def _copy_without_annotation(self, memo: dict[int, Any] | None = None) -> BaseDataset:
        # A subset shares the images.
        shared = {id(tensor): tensor for tensor in (self.images, self.labels)}
        return super()._copy_without_annotation({**(memo or {}), **shared})


class _Whole(dict[str, Any]):
    """A batch, where a function that makes batches of items would look for the first item."""

    def __missing__(self, key: Any) -> Any:
        raise UserError(
            "This data set gives whole batches, which the loader's `collate_fn` takes for items. "
            "Leave `collate_fn` out, and let DistillRunner build the loader."
        )


def collate(items: Any) -> Any:
    """A batch as it is; items stacked, as MMEngine's default."""
    return items if isinstance(items, Mapping) else default_collate(items)
