"""Mixtures: with each image of a batch its mixture with another one, as a second view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Beta

from cls_kd.data.wrapper import DatasetWrapper
from cls_kd.errors import UserError
from cls_kd.registry import DATASETS
from cls_kd.signals.batch import Mixture

MIXTURE_ALPHA = "mixture_alpha"
"""Key that asks for mixtures of the images of a batch."""


@DATASETS.register_module()
class MixtureViews(DatasetWrapper):
    """A data set whose images get a second view: their mixture with another image of the batch.

    `BatchPreprocessor` mixes each batch after augmenting and normalizing it, as `mixture_view`.

    Args:
        dataset: A data set, or its config.
        alpha: Parameter of the Beta distribution that the weight is drawn from. Default: MixSKD's
            on CIFAR-100; 0.2 on ImageNet.
        lazy_init: Load at first use.

    Raises:
        UserError: ``alpha`` is not positive.
    """

    def __init__(self, dataset: Any, alpha: float = 0.4, lazy_init: bool = False) -> None:
        if not alpha > 0:
            raise UserError(f"MixtureViews: alpha must be positive, not {alpha!r}.")
        super().__init__(dataset, lazy_init)
        self.alpha = alpha

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return {**self.dataset[idx], MIXTURE_ALPHA: self.alpha}

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Samples of a batch; a data set that gives whole batches also does so here."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is None:
            return [self[index] for index in indices]
        batch = fetch(list(indices))
        if isinstance(batch, Mapping):
            return {**batch, MIXTURE_ALPHA: self.alpha}
        return [{**item, MIXTURE_ALPHA: self.alpha} for item in batch]


def mixture_view(images: Tensor, alpha: float) -> tuple[Tensor, Mixture]:
    """Images and their mixtures, as two views.

    One weight for the batch is drawn from Beta(alpha, alpha), and a permutation of the batch, by
    PyTorch's global generator of the CPU.

    Args:
        images: (N, 3, H, W).
        alpha: Parameter of the Beta distribution; positive.

    Returns:
        The views (2, N, 3, H, W), and how the second one was mixed.
    """
    mix = Beta(alpha, alpha).sample().item()
    permutation = torch.randperm(len(images)).to(images.device, non_blocking=True)
    mixed = mix * images + (1 - mix) * images[permutation]
    return torch.stack([images, mixed]), Mixture(mix, permutation)
