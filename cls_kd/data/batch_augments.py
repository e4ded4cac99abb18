"""Augmentations of a whole batch, called by the data preprocessor on normalized images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.registry import BATCH_AUGMENTS

BatchAugment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@BATCH_AUGMENTS.register_module()
class LabelSmoothing:
    """Soften the targets of a batch, optionally after another batch augmentation.

    ``(1 - epsilon) * y + epsilon / K``: the mass ``epsilon`` goes to all K classes, the true one
    included (so it keeps ``1 - epsilon + epsilon / K``), as in [0] and as ``label_smoothing`` of
    ``torch.nn.functional.cross_entropy``.

    [0] Rethinking the Inception Architecture for Computer Vision. CVPR 2016.

    Args:
        epsilon: Mass that is spread, in [0, 1].
        augment: A batch augmentation (or its config) that comes first, such as Mixup or CutMix.
    """

    def __init__(
        self, epsilon: float = 0.1, augment: BatchAugment | dict[str, Any] | None = None
    ) -> None:
        if not 0 <= epsilon <= 1:
            raise UserError(f"LabelSmoothing: epsilon={epsilon} must be in [0, 1].")
        self.epsilon = epsilon
        self.augment: BatchAugment | None = (
            BATCH_AUGMENTS.build(augment) if isinstance(augment, dict) else augment
        )

    def __call__(self, inputs: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (N, C, H, W) and scores (N, K), one-hot or already mixed."""
        scores = scores.float()
        if self.augment is not None:
            inputs, scores = self.augment(inputs, scores)
        return inputs, (1 - self.epsilon) * scores + self.epsilon / scores.shape[1]
