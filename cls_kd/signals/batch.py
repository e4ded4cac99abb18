"""The signals that come with the data: images, labels, indices, and the training time."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.signals.time import TrainingTime

NO_LABELS = "A loss asks for the labels, and the batch has none."

NO_PAIRS = (
    "A loss asks for another image of each sample's class (`pair_inputs`), and the training data "
    "give none: put ClassPairs around the data set, dataset=dict(type='ClassPairs', dataset=...). "
    "`--method` does it for its methods, train_data=dict(wrapper=dict(type='ClassPairs')) for a "
    "run of a list."
)

NO_VIEWS = (
    "A loss asks for several augmentations of each image (`view_inputs`), and the training data "
    "give one: put Views around the data set, dataset=dict(type='Views', dataset=...). `--method` "
    "does it for its methods, train_data=dict(wrapper=dict(type='Views')) for a run of a list. In "
    "a loop of your own: distiller.loss(images, labels, view_inputs=views), (V, N, 3, H, W)."
)

NO_MIXTURES = (
    "A loss asks for mixtures of images (`mix`, `permutation`), and the training data give none: "
    "put MixtureViews around the data set, dataset=dict(type='MixtureViews', dataset=...). "
    "`--method` does it for its methods, train_data=dict(wrapper=dict(type='MixtureViews')) for a "
    "run of a list. In a loop of your own: views, mixture = cls_kd.data.mixture_view(images, "
    "alpha), then distiller.loss(images, labels, view_inputs=views, mixture=mixture)."
)


class Mixture(NamedTuple):
    """The mixture that is the second view of a batch: ``mix * x + (1 - mix) * x[permutation]``.

    Attributes:
        mix: Weight of the sample's own image, from 0 to 1.
        permutation: Position in the batch of the other image, (N,) int64.
    """

    mix: float
    permutation: Tensor


class Batch:
    """One mini-batch, as the losses and the teachers see it.

    Args:
        inputs: Normalized images, (N, 3, H, W).
        labels: Class indices (N,) int64, or label distributions (N, K) under mixup, CutMix or label
            smoothing. Default: unknown; an error where a loss asks for labels.
        num_classes: K.
        index: Positions of the samples in the data set, (N,) int64. Default: unknown.
        pairs: Another normalized image of each sample's class, (N, 3, H, W). Default: none.
        views: Augmentations of each image, (V, N, 3, H, W), ``inputs`` first. Default: none.
        mixture: How the second of the views is mixed. Default: it is no mixture.
        time: The training time. Default: the start of a training.
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor | None,
        num_classes: int,
        *,
        index: Tensor | None = None,
        pairs: Tensor | None = None,
        views: Tensor | None = None,
        mixture: Mixture | None = None,
        time: TrainingTime | None = None,
    ) -> None:
        self.inputs = inputs
        self.num_classes = num_classes
        self.pairs = pairs
        self.views = views
        self.mixture = mixture
        self.time = time or TrainingTime()
        self._labels, self._index = labels, index

    @cached_property
    def labels(self) -> Tensor:
        """(N,) int64; of a label distribution the most probable class."""
        if self._distribution() is not None:
            return self.targets.argmax(dim=1)
        labels = self._hard_labels().to(self.inputs.device)
        # On an accelerator the check would cost a synchronization; there the data set is checked
        # once before training.
        if labels.device.type == "cpu":
            check_label_range(labels, self.num_classes, "this batch")
        return labels

    @cached_property
    def targets(self) -> Tensor:
        """(N, K) float32."""
        distribution = self._distribution()
        if distribution is None:
            return F.one_hot(self.labels, self.num_classes).float()
        if distribution.shape[1] != self.num_classes:
            raise UserError(
                f"The data give label distributions over {distribution.shape[1]} classes, the "
                f"student has {self.num_classes}."
            )
        return distribution.float().to(self.inputs.device)

    @property
    def has_mixed_labels(self) -> bool:
        """True if the labels are distributions."""
        return self._distribution() is not None

    @cached_property
    def index(self) -> Tensor:
        """(N,) int64."""
        return self._positions().to(self.inputs.device)

    @property
    def draws(self) -> Tensor:
        """Numbers on the CPU by which an epoch's samples draw their augmentation, (N,) int64.

        The same as ``index``, unless a data set is repeated within an epoch.
        """
        return self._positions().cpu()

    @property
    def pair_inputs(self) -> Tensor:
        """(N, 3, H, W)."""
        if self.pairs is None:
            raise UserError(NO_PAIRS)
        return self.pairs

    @property
    def view_inputs(self) -> Tensor:
        """(V, N, 3, H, W)."""
        if self.views is None:
            raise UserError(NO_VIEWS)
        if self.views.shape[1:] != self.inputs.shape:
            raise UserError(
                f"view_inputs must be (V, *{tuple(self.inputs.shape)}), with `inputs` as the first "
                f"view; its shape is {tuple(self.views.shape)}."
            )
        return self.views

    @property
    def mix(self) -> float:
        """Weight of a sample's own image in the second view."""
        return self._known_mixture().mix

    @property
    def permutation(self) -> Tensor:
        """(N,) int64."""
        return self._known_mixture().permutation.to(self.inputs.device)

    @property
    def epoch(self) -> int:
        """Completed epochs."""
        return self.time.epoch

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole training; 1 in a loop that counts iterations."""
        return self.time.max_epochs

    @property
    def progress(self) -> float:
        """Completed fraction of all training steps."""
        return self.time.progress

    def _distribution(self) -> Tensor | None:
        """Label distributions as the data give them, (N, K); None where labels are hard."""
        labels = self._labels
        return labels if labels is not None and labels.ndim == 2 else None

    def _hard_labels(self) -> Tensor:
        if self._labels is None:
            raise UserError(NO_LABELS)
        return self._labels

    def _known_mixture(self) -> Mixture:
        if self.mixture is None:
            raise UserError(NO_MIXTURES)
        return self.mixture

    def _positions(self) -> Tensor:
        if self._index is None:
            raise UserError(
                "A loss asks for `index`, the position of each sample in the data set, and the "
                "batch has none: pass index=..., a tensor of shape (N,)."
            )
        return self._index


def check_label_range(labels: Tensor, num_classes: int, where: str) -> None:
    """Refuse labels outside 0 .. K-1.

    Raises:
        UserError: With the range of the labels.
    """
    if labels.numel() == 0:
        return
    low, high = torch.stack(labels.aminmax()).tolist()
    if low < 0 or high >= num_classes:
        raise UserError(
            f"Labels out of range: {where} has labels from {low} to {high}, the student has "
            f"{num_classes} classes (0 to {num_classes - 1})."
        )
