"""Inverse probability weights of samples, from two classifiers on one embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import mean_over_processes, standardize

Direction = Literal["printed", "inverse"]
Clip = Sequence[float] | None

_EPS = 1e-6


class IPWDWeight(nn.Module):
    r"""Weigh each sample by the inverse of its propensity to belong to the machine's domain.

    .. math:: w = 1 + H_\mathrm{cls} / H_\mathrm{kd} \;\text{('printed')}, \qquad
              w = 1 + H_\mathrm{kd} / H_\mathrm{cls} \;\text{('inverse')}

    with H the cross-entropy of standardized logits (mean 0, population deviation 1, temperature 1)
    with the label. Both are 2 where the classifiers agree. Weights carry no gradient.

    Ours: both H are at least 1e-6. With hundreds of classes a sure and right classifier has an H
    that float32 rounds to zero.

    Args:
        direction: Which H is the numerator. The formula as printed is larger where the distilled
            classifier is surer of the label; the inverse is larger where it is less sure.
        clip: Smallest and largest weight. Default: none.
        normalize: Divide by the mean of the global batch, so that only differences between samples
            are left and not the strength of the loss. After the clip.
    """

    def __init__(
        self, *, direction: Direction = "printed", clip: Clip = None, normalize: bool = False
    ) -> None:
        super().__init__()
        if direction not in get_args(Direction):
            raise UserError(
                f"IPWDWeight: direction must be 'printed' or 'inverse', not {direction!r}."
            )
        if clip is not None and not (len(clip) == 2 and 0 < clip[0] < clip[1]):
            raise UserError(
                "IPWDWeight: clip must be the smallest and the largest weight, such as (1, 10), "
                f"not {clip!r}."
            )
        self.direction = direction
        self.clip = clip
        self.normalize = normalize

    @torch.no_grad()
    def forward(self, cls_logits: Tensor, kd_logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, K) of both classifiers and labels (N,), or their distribution (N, K): (N,)."""
        cls, kd = (_cross_entropy(logits, labels) for logits in (cls_logits, kd_logits))
        weights = 1 + (cls / kd if self.direction == "printed" else kd / cls)
        if self.clip is not None:
            weights = weights.clamp(*self.clip)
        if self.normalize:
            # All processes have batches of the same length.
            weights = weights / mean_over_processes(weights.mean())
        return weights


class PropensityHead(nn.Module):
    """A second linear classifier, trained on the labels alone, and the sample weights.

    Args:
        in_features: Length of an embedding.
        num_classes: K.
        weigh: The rule of the weights.
    """

    def __init__(self, in_features: int, num_classes: int, weigh: IPWDWeight) -> None:
        super().__init__()
        self.classifier = nn.Linear(in_features, num_classes)
        self.weigh = weigh

    def forward(
        self, embedding: Tensor, kd_logits: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The classifier's own cross-entropy, mean over the batch, and the weights, (N,).

        Args:
            embedding: Of the student, (N, D); the cross-entropy has a gradient to it.
            kd_logits: Of the classifier that is distilled, (N, K).
            targets: Label distributions, (N, K).
        """
        logits = self.classifier(embedding)
        return F.cross_entropy(logits, targets), self.weigh(logits, kd_logits, targets)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    losses = F.cross_entropy(standardize(logits, correction=0), labels, reduction="none")
    return losses.clamp(min=_EPS)
