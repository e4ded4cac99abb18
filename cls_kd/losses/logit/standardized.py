"""Standardised logits: a pre-processing that any logit loss can wear."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import standardize
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import TeacherChoice, WeightConfig
from cls_kd.registry import MODELS
from cls_kd.signals.shapes import ShapeFacts

_STANDARDIZED = ("student_logits", "teacher_logits")


@MODELS.register_module()
class StandardizedLogitsLoss(DistillLoss):
    r"""Give another loss logits of mean 0 and deviation 1, so that only their relations count.

    Paper: Sun et al. 2024, arXiv:2403.01427

    .. math:: L = L_\mathrm{inner}(Z(z^s), Z(z^t)), \quad
              Z(z) = (z - \mathrm{mean}(z)) / (\mathrm{std}(z) + 10^{-7})

    sample by sample, with the unbiased deviation (K-1); the gradient flows through both. With
    K = 2 it vanishes. All other signals reach the inner loss as they are.

    [0] S. Sun, W. Ren, J. Li, R. Wang, X. Cao, "Logit Standardization in Knowledge Distillation",
        CVPR 2024, arXiv:2403.01427.
    [1] sunshangquan/logit-standardization-KD@f6e5aa5:mdistiller/distillers/KD.py and DKD.py.
        No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).
        Others: what the inner loss asks for.

    Args:
        loss: Config of the inner loss, without ``weight`` and ``teacher``, which belong here.
            The paper uses KD at temperature 2 with weight 9 on CIFAR-100.
        weight: See the base class.
        teacher: See the base class.
    """

    def __init__(
        self,
        *,
        loss: Mapping[str, Any],
        weight: WeightConfig = 1.0,
        teacher: TeacherChoice = None,
    ) -> None:
        super().__init__(weight=weight, teacher=teacher)
        for option in ("weight", "teacher"):
            if option in loss:
                raise UserError(
                    f"StandardizedLogitsLoss: {option!r} of the inner loss would have no effect; "
                    f"write it beside 'loss', not in it."
                )
        self.loss = MODELS.build(dict(loss))
        if not isinstance(self.loss, DistillLoss):
            raise UserError(f"{type(self.loss).__name__} is not a distillation loss.")
        if not set(_STANDARDIZED) & set(self.loss.signals):
            raise UserError(
                f"{type(self.loss).__name__} asks for no logits: nothing to standardise."
            )

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The inner loss's signals."""
        return self.loss.signals

    def build(self, shapes: ShapeFacts) -> None:
        self.loss.build(shapes)

    def forward(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        for name in _STANDARDIZED:
            if name in signals:
                signals[name] = standardize(signals[name])
        return self.loss(**signals)
