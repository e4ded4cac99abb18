"""The samples of a batch as mmpretrain's objects, or as tensors of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from cls_kd.adapters.internals import concatenates_labels
from cls_kd.errors import UserError
from cls_kd.signals.batch import NO_LABELS, Batch, Mixture
from cls_kd.signals.time import TrainingTime

DRAW = "draw"
"""Key of a sample's number in `Batch.draws`."""


class BatchSamples:
    """Labels and places of a whole batch, where one object a sample would cost more than the step.

    Stands where mmpretrain expects a list of ``DataSample``: iterating or indexing makes that list
    once, and keeps it, so that what is written into its items stays.

    Args:
        labels: (N,) int64; None where there are none.
        index: Places in the data set, (N,) int64.
        scores: Label distributions (N, K), under mixup and CutMix.
        host_index: ``index`` on the CPU, for who would else wait for the device. Default: itself.
    """

    def __init__(
        self,
        labels: Tensor | None,
        index: Tensor,
        scores: Tensor | None = None,
        host_index: Tensor | None = None,
    ) -> None:
        self.labels, self.index, self.scores = labels, index, scores
        self.host_index = index if host_index is None else host_index

    @cached_property
    def samples(self) -> list[DataSample]:
        """One object a sample, as mmpretrain's PackInputs makes them."""
        scores = [None] * len(self) if self.scores is None else self.scores
        if self.labels is None:
            places = self.index.tolist()
            return [DataSample(metainfo={"sample_idx": position}) for position in places]
        made = []
        for label, position, score in zip(
            self.labels.split(1), self.index.tolist(), scores, strict=True
        ):
            sample = DataSample(metainfo={"sample_idx": position}).set_gt_label(label)
            made.append(sample if score is None else sample.set_gt_score(score))
        return made

    def as_one(self) -> list[DataSample]:
        """For what concatenates ``gt_label`` of all samples: one that holds all of them."""
        if self.labels is None or self.scores is not None:
            return self.samples
        return [DataSample().set_gt_label(self.labels)]

    def to(self, device: torch.device) -> BatchSamples:
        """On a device, without a wait where the memory is pinned."""
        labels, index, scores = (
            tensor if tensor is None else tensor.to(device, non_blocking=True)
            for tensor in (self.labels, self.index, self.scores)
        )
        return BatchSamples(labels, index, scores, self.host_index)  # type: ignore[arg-type]

    def pin_memory(self) -> BatchSamples:
        """In memory that a GPU copies from by itself; PyTorch's loader calls this."""
        pinned = (
            tensor if tensor is None else tensor.pin_memory()
            for tensor in (self.labels, self.index, self.scores)
        )
        return BatchSamples(*pinned)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[DataSample]:
        return iter(self.samples)

    def __getitem__(self, position: int) -> DataSample:
        return self.samples[position]


Samples = BatchSamples | Sequence[DataSample]


def labels_of(samples: Samples) -> Tensor:
    """(N,) int64.

    Raises:
        UserError: There are none.
    """
    if isinstance(samples, BatchSamples):
        if samples.labels is None:
            raise UserError(NO_LABELS)
        return samples.labels
    if "gt_label" not in samples[0]:
        raise UserError(NO_LABELS)
    return torch.cat([sample.gt_label for sample in samples])


def scores_of(samples: Samples) -> Tensor | None:
    """(N, K), or None where labels are hard."""
    if isinstance(samples, BatchSamples):
        return samples.scores
    if "gt_score" not in samples[0]:
        return None
    return torch.stack([sample.gt_score for sample in samples])


def index_of(samples: Samples, who: str = "A loss asks for `index`") -> Tensor:
    """(N,) int64: each sample's place in the data set.

    Raises:
        UserError: Samples do not know their places.
    """
    if isinstance(samples, BatchSamples):
        return samples.index
    if "sample_idx" not in samples[0]:
        raise UserError(
            f"{who}, and the samples have no `sample_idx`: let the data set derive from "
            "mmpretrain's BaseDataset, and PackInputs keep the key 'sample_idx'."
        )
    return torch.tensor([sample.sample_idx for sample in samples])


class SampleBatch(Batch):
    """A mini-batch whose labels and indices come from mmpretrain's samples.

    Args:
        inputs: Normalized images, (N, 3, H, W).
        data_samples: mmpretrain's samples with ``gt_label`` or, under mixup, ``gt_score``; or the
            same of all samples at once.
        num_classes: K.
        pairs: See `Batch`.
        views: See `Batch`.
        mixture: See `Batch`.
        time: See `Batch`.
    """

    def __init__(
        self,
        inputs: Tensor,
        data_samples: Samples,
        num_classes: int,
        *,
        pairs: Tensor | None = None,
        views: Tensor | None = None,
        mixture: Mixture | None = None,
        time: TrainingTime | None = None,
    ) -> None:
        super().__init__(
            inputs, None, num_classes, pairs=pairs, views=views, mixture=mixture, time=time
        )
        self.data_samples = data_samples

    def _distribution(self) -> Tensor | None:
        return scores_of(self.data_samples)

    def _hard_labels(self) -> Tensor:
        return labels_of(self.data_samples)

    def _positions(self) -> Tensor:
        return index_of(self.data_samples)

    @property
    def draws(self) -> Tensor:
        """See `Batch`."""
        samples = self.data_samples
        if isinstance(samples, BatchSamples):
            return samples.host_index.cpu()
        if DRAW not in samples[0]:
            return self._positions().cpu()
        return torch.tensor([sample.get(DRAW) for sample in samples])


def samples_of(batch: Batch) -> Samples:
    """The samples of a batch; made of its labels where it has none."""
    if isinstance(batch, SampleBatch):
        return batch.data_samples
    scores = batch.targets if batch.has_mixed_labels else None
    return BatchSamples(batch.labels, torch.arange(len(batch.labels)), scores)


def for_criterion(samples: Samples, owner: object) -> Sequence[DataSample]:
    """As ``owner``, a head or a classifier of mmpretrain, reads them for its loss."""
    if not isinstance(samples, BatchSamples):
        return samples
    return samples.as_one() if concatenates_labels(owner) else samples.samples
