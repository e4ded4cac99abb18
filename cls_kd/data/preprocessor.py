"""From what the loader gives to what networks take: on the device, normalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from cls_kd.registry import MODELS


@MODELS.register_module()
class BatchPreprocessor(ClsDataPreprocessor):
    """mmpretrain's, with less work for every sample and no wait for the device.

    Hard labels stay as they are on the CPU; to another device they travel in one piece, and neither
    they nor images in pinned memory make the host wait. Under mixup, CutMix and other soft labels
    it is mmpretrain's. Arguments are mmpretrain's.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._non_blocking = True

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        samples = data.get("data_samples")
        if not samples or not self._has_hard_labels(samples[0]):
            return super().forward(data, training)
        images = super().forward({"inputs": data["inputs"]}, training)["inputs"]
        if self.device.type != "cpu":
            _move_labels(samples, self.device)
        return {"inputs": images, "data_samples": samples}

    def _has_hard_labels(self, sample: Any) -> bool:
        soft = self.to_onehot or self.batch_augments is not None
        return (
            not soft
            and isinstance(sample, DataSample)
            and "gt_label" in sample
            and "gt_score" not in sample
        )


def _move_labels(samples: Sequence[DataSample], device: torch.device) -> None:
    labels = [sample.gt_label for sample in samples]
    moved = torch.cat(labels).to(device, non_blocking=True).split([len(one) for one in labels])
    for sample, label in zip(samples, moved, strict=True):
        sample.set_field(label, "gt_label", dtype=torch.Tensor)
