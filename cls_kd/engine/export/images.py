"""Images of the config's data: to calibrate a quantized student, and to measure any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from cls_kd.adapters.samples import labels_of
from cls_kd.engine.export.facts import NOT_THERE, innermost_config, splits
from cls_kd.engine.loaders import build_dataloader, build_dataset
from cls_kd.errors import UserError
from cls_kd.registry import MODELS


@dataclass(frozen=True)
class LabelledImages:
    """Batches of normalized images and their labels.

    Attributes:
        split: Split that they are from.
        loader: As the config builds it.
        preprocessor: Normalizes a batch.
    """

    split: str
    loader: DataLoader
    preprocessor: nn.Module

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (N, C, H, W), and labels (N,)."""
        for batch in self.loader:
            ready = self.preprocessor(batch, False)
            yield ready["inputs"], labels_of(ready["data_samples"])


@dataclass(frozen=True)
class ExportImages:
    """The data of a config, as an export uses them. Nothing is read before it is asked for.

    Attributes:
        cfg: Config of one run.
        split: Measured on: ``'test'`` or ``'val'``. Default: test where the config has it.
        limit: Measured on at most so many images, spread evenly. Default: all.
        calibration: So many training images, spread evenly, set the ranges of int8 activations.
    """

    cfg: Config
    split: str | None = None
    limit: int | None = None
    calibration: int = 256

    def evaluation_images(self) -> LabelledImages | None:
        """Those that accuracy is measured on; None where there are none and no split was asked for.

        Raises:
            UserError: The split that was asked for is not there.
        """
        names = [name for name in splits(self.cfg) if name != "train"]
        split = self.split or (names[0] if names else "test")
        try:
            if split not in names:
                raise UserError(f"The config has no {split}_dataloader to measure the export on.")
            return self._images(split, self.cfg[f"{split}_dataloader"].dataset, split, self.limit)
        except UserError:
            if self.split is not None:
                raise
            return None

    def calibration_images(self) -> LabelledImages:
        """Training images, transformed as test images are.

        Raises:
            UserError: They are not there.
        """
        names = splits(self.cfg)
        if "train" not in names:
            raise UserError(
                "onnx-int8 needs training images to calibrate the ranges of activations, and the "
                "config has no train_dataloader."
            )
        data = innermost_config(self.cfg.train_dataloader.dataset)
        tested = innermost_config(self.cfg[f"{names[0]}_dataloader"].dataset)
        same_pipeline = {**data, "pipeline": tested.get("pipeline", [])}
        return self._images("train", same_pipeline, names[0], self.calibration)

    def _images(self, split: str, data: Any, loader: str, limit: int | None) -> LabelledImages:
        """``data`` by the loader of another split, so that nothing is shuffled or dropped."""
        try:
            dataset = build_dataset(data)
            count = len(dataset)
        except NOT_THERE as error:
            raise UserError(f"The {split} data are not here: {error}") from error
        chosen = torch.linspace(0, count - 1, min(limit or count, count)).round().long().tolist()
        config = {**self.cfg[f"{loader}_dataloader"], "dataset": Subset(dataset, chosen)}
        config["sampler"] = {"type": "DefaultSampler", "shuffle": False}
        preprocessor = self.cfg.model.get("data_preprocessor", self.cfg.get("data_preprocessor"))
        return LabelledImages(
            split,
            build_dataloader(config, seed=self.cfg.randomness.seed),
            MODELS.build({"type": "BatchPreprocessor", **(preprocessor or {})}),
        )
