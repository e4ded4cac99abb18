"""Images without labels: a folder of them, or a data set whose labels are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpretrain.datasets import CustomDataset

from cls_kd.adapters.samples import BatchSamples
from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@DATASETS.register_module()
class UnlabeledFolder(CustomDataset):
    """All images of a folder and of the folders in it, however deep; names of folders mean nothing.

    Items hold ``img_path`` and ``sample_idx``. Images may have any sizes: the pipeline must give
    all of them one, by ``RandomResizedCrop`` or ``Resize``.

    Args:
        data_root: The folder.
        extensions: Endings of the files that are images, in any case. Default: `EXTENSIONS`.
        pipeline: Transforms of one sample.
        indices: Keep the first so many, or these, in the order of their paths.
        test_mode: A failing item is an error, where training would draw another one.
        lazy_init: Load at first use.

    Raises:
        UserError: There is no such folder, or no image in it.
    """

    is_labeled = False

    def __init__(
        self,
        data_root: str,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        pipeline: Sequence[Any] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        super().__init__(
            data_root=str(data_root),
            with_label=False,
            extensions=tuple(extensions),
            pipeline=pipeline,
            indices=indices,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """The paths of the images, sorted."""
        folder = Path(self.data_root)
        if not folder.is_dir():
            raise UserError(f"UnlabeledFolder: there is no folder {self.data_root}.")
        endings = tuple(ending.lower() for ending in self.extensions)
        paths = sorted(
            path
            for path in folder.rglob("*")
            if path.name.lower().endswith(endings) and path.is_file()
        )
        if not paths:
            raise UserError(
                f"UnlabeledFolder: no file in {self.data_root}, or in a folder in it, ends with "
                f"{', '.join(sorted(endings))}."
            )
        return [{"img_path": str(path)} for path in paths]


@DATASETS.register_module()
class Unlabeled(DatasetWrapper):
    """A data set without its labels: what a training on it learns, it learns from images alone.

    Args:
        dataset: A data set, or its config.
        lazy_init: Load at first use.
    """

    is_labeled = False

    def __getitem__(self, idx: int) -> Any:
        return _without_label(self.dataset[idx])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Samples of a batch; a data set that gives whole batches also does so without labels."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            return [self[index] for index in indices]
        batch = fetch(list(indices))
        if isinstance(batch, Mapping):
            samples = BatchSamples(None, batch["data_samples"].index)
            return {**batch, "data_samples": samples}
        return [_without_label(item) for item in batch]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """An item of the data set, before its pipeline, without its label."""
        return {key: value for key, value in super().get_data_info(idx).items() if key not in _KEYS}


_KEYS = ("gt_label", "gt_score")


def _without_label(item: dict[str, Any]) -> dict[str, Any]:
    sample = item["data_samples"]
    for key in _KEYS:
        if key in sample:
            delattr(sample, key)
    return item


def is_labeled(dataset: Any) -> bool:
    """False of a data set that leaves labels out, or that is one around such a data set."""
    while getattr(dataset, "is_labeled", True):
        if not hasattr(dataset, "dataset"):
            return True
        dataset = dataset.dataset
    return False
