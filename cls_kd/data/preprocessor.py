"""Data preprocessor: from the loader's batches to augmented, normalized ones on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from torch import Tensor

from cls_kd.adapters.samples import BatchSamples, index_of
from cls_kd.data.mixtures import MIXTURE_ALPHA, mixture_view
from cls_kd.data.rotations import VIEW_TURNS, quarter_turns
from cls_kd.errors import UserError
from cls_kd.registry import MODELS, TRANSFORMS
from cls_kd.signals.time import TrainingTime

Augment = Callable[[Tensor, Tensor], Tensor]
"""Images (N, C, H, W) uint8 and their indices in the data set (N,) to images."""

_INDICES = 2**40
"""More than any data set has samples: indices of different draws do not meet."""


@MODELS.register_module()
class BatchPreprocessor(ClsDataPreprocessor):
    """mmpretrain's, with less work for every sample and no wait for the device.

    Hard labels stay as they are on the CPU; to another device they travel in one piece, and neither
    they nor images in pinned memory make the host wait. `BatchSamples` stay in one piece, under
    mixup and CutMix too; a list of samples is then handled as mmpretrain does. ``pair_inputs`` of
    `ClassPairs` are augmented and normalized as the images are, and not mixed. Other arguments are
    mmpretrain's.

    Args:
        augment: In training, for a stack of images before it is normalized; or its config, such as
            ``dict(type=RandomCropFlip, padding=4)``.
    """

    def __init__(
        self, *args: Any, augment: Augment | dict[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        if self.num_classes is None and (self.to_onehot or self.batch_augments is not None):
            raise UserError(
                "data_preprocessor: batch_augments and to_onehot make label distributions, which "
                "need num_classes: data_preprocessor = dict(num_classes=10, ...)."
            )
        self._non_blocking = True
        self.augment = TRANSFORMS.build(augment) if isinstance(augment, Mapping) else augment

    def follow(self, time: TrainingTime) -> None:
        """Let an augmentation that depends on the training time read it from ``time``."""
        for augment in (self.augment, self.batch_augments):
            if hasattr(augment, "time"):
                augment.time = time  # type: ignore[union-attr]

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        ready = self._images_and_labels(data, training)
        if "pair_inputs" in data:
            pairs = data["pair_inputs"]
            if training and self.augment is not None:
                pairs = self._augmented(pairs, data.get("data_samples"), draw=1)
            ready["pair_inputs"] = super().forward({"inputs": pairs}, training)["inputs"]
        if {"view_inputs", MIXTURE_ALPHA} & data.keys() and training:
            self._check_not_mixed()
        if MIXTURE_ALPHA in data:
            alpha = torch.as_tensor(data[MIXTURE_ALPHA]).flatten()[0].item()
            ready["view_inputs"], ready["mixture"] = mixture_view(ready["inputs"], alpha)
        elif "view_inputs" in data:
            ready["view_inputs"] = torch.stack(
                [ready["inputs"], *self._other_views(data, ready["inputs"], training)]
            )
        return ready

    def _other_views(self, data: Mapping[str, Any], ready: Tensor, training: bool) -> list[Tensor]:
        """Views 1 and on; the loader gives them by samples, (N, V - 1, 3, H, W).

        Where they are turns of the image, they are those of the images that are ``ready``.
        """
        if VIEW_TURNS in data:
            return quarter_turns(ready)
        views = data["view_inputs"]
        stacked = views if isinstance(views, Tensor) else torch.stack(list(views))
        others = []
        for number, view in enumerate(stacked.unbind(1), start=1):
            if training and self.augment is not None:
                view = self._augmented(view, data.get("data_samples"), draw=number)
            others.append(super().forward({"inputs": view}, training)["inputs"])
        return others

    def _check_not_mixed(self) -> None:
        if self.batch_augments is not None:
            raise UserError(
                "data_preprocessor: batch_augments mix the images, and not their views: leave them "
                "out where a loss asks for `view_inputs`."
            )

    def _images_and_labels(self, data: Mapping[str, Any], training: bool) -> dict[str, Any]:
        samples: Any = data.get("data_samples")
        if training and self.augment is not None:
            data = {**data, "inputs": self._augmented(data["inputs"], samples)}
        whole = isinstance(samples, BatchSamples)
        if not whole and not (samples and self._has_hard_labels(samples[0])):
            return super().forward(data, training)
        images = self._normalized(data["inputs"])
        if self.device.type != "cpu":
            samples = samples.to(self.device) if whole else _move_labels(samples, self.device)
        if whole and (self.to_onehot or self.batch_augments is not None):
            images, samples = self._soft(images, samples, training)
        return {"inputs": images, "data_samples": samples}

    def _augmented(self, images: Any, samples: Any, draw: int = 0) -> Tensor:
        if not isinstance(images, Tensor):
            raise UserError(
                "BatchPreprocessor: `augment` works on images that are stacked; the loader has "
                "collate_fn=dict(type='pseudo_collate'), which leaves them a list."
            )
        assert self.augment is not None
        index = index_of(samples or [{}], "BatchPreprocessor: `augment` needs each sample's index")
        # A negative index is no sample's: another image or view gets another draw than the image.
        index = index if draw == 0 else -draw * _INDICES + _INDICES - 1 - index
        return self.augment(self.cast_data(images), index)

    def _normalized(self, images: Any) -> Tensor:
        """As mmpretrain does it; a stack in place, in one new tensor."""
        if not isinstance(images, Tensor) or self.pad_size_divisor > 1:
            return super().forward({"inputs": images})["inputs"]
        images = self.cast_data(images)
        if self.to_rgb and images.shape[1] == 3:
            images = images.flip(1)
        images = images.to(torch.float32, copy=True)
        return images.sub_(self.mean).div_(self.std) if self._enable_normalize else images

    def _soft(
        self, images: Tensor, samples: BatchSamples, training: bool
    ) -> tuple[Tensor, BatchSamples]:
        """Label distributions, mixed in training; as mmpretrain does it sample by sample."""
        if self.num_classes is None:
            raise UserError("BatchPreprocessor: mixed labels need its option `num_classes`.")
        if samples.labels is None:
            raise UserError(
                "data_preprocessor: batch_augments and to_onehot make label distributions, and the "
                "data have no labels: leave them out."
            )
        scores = F.one_hot(samples.labels, self.num_classes)
        if training and self.batch_augments is not None:
            images, scores = self.batch_augments(images, scores)
        return images, BatchSamples(samples.labels, samples.index, scores, samples.host_index)

    def _has_hard_labels(self, sample: Any) -> bool:
        soft = self.to_onehot or self.batch_augments is not None
        return (
            not soft
            and isinstance(sample, DataSample)
            and "gt_label" in sample
            and "gt_score" not in sample
        )


def _move_labels(samples: Sequence[DataSample], device: torch.device) -> Sequence[DataSample]:
    labels = [sample.gt_label for sample in samples]
    moved = torch.cat(labels).to(device, non_blocking=True).split([len(label) for label in labels])
    for sample, label in zip(samples, moved, strict=True):
        sample.set_field(label, "gt_label", dtype=torch.Tensor)
    return samples
