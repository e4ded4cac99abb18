"""OFA's exits of a student that keeps tokens: a logit loss on classifiers after its blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.logit_exits import LogitExits
from cls_kd.losses.options import check_positive
from cls_kd.losses.tokens import check_grid
from cls_kd.modules.token_exits import TokenExits
from cls_kd.signals.shapes import Shape, SignalShapes
from cls_kd.signals.tap_groups import stage_ends


class OFATokenExitsLoss(LogitExits):
    r"""Apply a logit loss to exits: classifiers after blocks of a vision transformer or an MLP.

    Paper: Hao et al. 2023, arXiv:2310.19444

    .. math:: L = \sum_{i=1}^{S} L_\mathrm{inner}(h_i(x^s_{b_i}), z^t)

    with x the tokens after block b_i and h_i its exit: patches are merged, 2x2 to one, down to a
    grid of 7x7; then come transformer blocks, one for each later exit and at least one, and a
    linear layer on the class token, or on the mean of the patches where there is none. Exits are
    trained with the student and not deployed. For convolutional students: `OFAExitsLoss`.

    [0] Z. Hao, J. Guo, K. Han, Y. Tang, H. Hu, Y. Wang, C. Xu, "One-for-All: Bridge the Gap Between
        Heterogeneous Architectures in Knowledge Distillation", NeurIPS 2023, arXiv:2310.19444.
    [1] Hao840/OFAKD@f7bb896:distillers/ofa.py, its branches of students without maps; no value was
        compared. Differences: queries, keys and values have a bias, which starts at zero. Ours:
        other grids than halvings of 7x7 are merged while they are even and stay at 7x7 or more.

    Shapes:
        student_blocks: tuple of (N, L, D).
        Others: what the inner loss asks for, less ``student_logits``.

    Args:
        loss: The inner loss or its config; it asks for ``student_logits``. In the paper OFA's loss
            of logits.
        blocks: Indices of the blocks with an exit. Default: after a sixth, a third, five sixths and
            all, which are those of DeiT-T, Swin-T and ResMLP-S12 in [1]; (1, 3, 5, 7) for Swin-N.
        heads: Heads of attention in the exits.

    Weight:
        1 on CIFAR-100 and ImageNet, beside 1 for the same loss of the final logits.
    """

    asks = ("student_blocks",)
    tapped = "student_blocks"

    def __init__(
        self,
        *,
        loss: DistillLoss | Mapping[str, Any],
        blocks: Sequence[int] | None = None,
        heads: int = 4,
    ) -> None:
        super().__init__(loss)
        check_positive(self, heads=heads)
        self.blocks = None if blocks is None else tuple(blocks)
        self.heads = heads

    def make_exits(self, shapes: SignalShapes) -> TokenExits:
        tokens = shapes.tensors("student_blocks")
        chosen = [self._shape(tokens, block) for block in self._indices(tokens)]
        for shape in chosen:
            check_grid(self, "student", shape)
        width = tokens[-1][1]
        if width % self.heads:
            raise UserError(
                f"OFATokenExitsLoss: {self.heads} heads do not divide the student's width {width}."
            )
        return TokenExits(chosen, width, shapes.num_classes, self.heads)

    def chosen(self, tapped: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The tokens after the blocks with an exit."""
        return tuple(tapped[block] for block in self._indices(tapped))

    def _indices(self, blocks: Sequence[Any]) -> Sequence[int]:
        return stage_ends(len(blocks)) if self.blocks is None else self.blocks

    def _shape(self, tokens: Sequence[Shape], block: int) -> Shape:
        if not -len(tokens) <= block < len(tokens):
            raise UserError(
                f"OFATokenExitsLoss: the student has {len(tokens)} blocks, and blocks names "
                f"{block}. Give indices below {len(tokens)}, such as blocks=(1, 3, 5, 7)."
            )
        return tokens[block]
