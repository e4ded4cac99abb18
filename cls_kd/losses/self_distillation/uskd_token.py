"""USKD for vision transformers."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import grid_side
from cls_kd.losses.self_distillation.uskd import USKDTerms
from cls_kd.signals.shapes import SignalShapes


class USKDTokenLoss(USKDTerms):
    r"""USKD for vision transformers, with weak logits from the class token of the middle block.

    Paper: Yang et al. 2023, arXiv:2303.13005

    .. math:: L = L_\mathrm{USKD}(z^s, w), \quad w = \mathrm{softmax}(W h_{B/2} + b)

    with L_USKD the formula of :class:`USKDLoss` for the weak distribution w, and h the class token
    of a block. Of B blocks it is number B/2, counted from 1; its first token is the class token.

    [0] Z. Yang, A. Zeng, Z. Li, T. Zhang, C. Yuan, Y. Li, "From Knowledge Distillation to
        Self-Knowledge Distillation: A Unified Approach with Normalized Loss and Customized Soft
        Labels", ICCV 2023, arXiv:2303.13005.
    [1] As for :class:`USKDLoss`.

    Shapes:
        student_logits: (N, K).
        student_blocks: tuple of (N, L, D), at least two.
        labels: (N,), hard.
        targets: (N, K); where it is not given, the labels are hard.

    Args:
        alpha: alpha, weight of the target term. Default: ImageNet.
        beta: beta, weight of the non-target term. Default: ImageNet.
        mu: mu, weight of the weak logits' own loss. Default: ImageNet.
    """

    def build(self, shapes: SignalShapes) -> None:
        if len(blocks := shapes.tensors("student_blocks")) < 2:
            raise UserError("USKDTokenLoss reads the middle block: the student has one block.")
        length, width = blocks[len(blocks) // 2 - 1]
        if length == grid_side(length) ** 2:
            raise UserError(
                f"USKDTokenLoss reads the class token, and the {length} tokens of the student's "
                "middle block are a whole grid of patches. USKDLoss reads maps: name two with "
                "student_taps=dict(stages=...)."
            )
        self.weak_head = nn.Linear(width, shapes.num_classes)

    def forward(
        self,
        student_logits: Tensor,
        student_blocks: tuple[Tensor, ...],
        labels: Tensor,
        targets: Tensor | None = None,
    ) -> dict[str, Tensor]:
        middle = student_blocks[len(student_blocks) // 2 - 1][:, 0]
        return self.terms(student_logits, middle, labels, targets)
