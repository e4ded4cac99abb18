"""InstanceCRD: contrastive representation distillation without labels."""

from __future__ import annotations

from torch import Tensor

from cls_kd.losses.relation.crd import CRDLoss


class InstanceCRDLoss(CRDLoss):
    r"""Contrast embeddings of student and teacher, where every other sample is a negative.

    Paper: Tian et al. 2020, arXiv:1910.10699

    .. math:: L = \ell(s, M^t) + \ell(t, M^s)

    as in `CRDLoss`, which spares the samples of an image's own class; without labels none is
    spared, so that each image is a class of its own.

    [0] Y. Tian, D. Krishnan, P. Isola, "Contrastive Representation Distillation", ICLR 2020,
        arXiv:1910.10699.
    [1] HobbitLong/RepDistiller@b84f547:crd/criterion.py. The differences of `CRDLoss`; [1] has no
        form without labels.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.
        index: (N,).

    Args:
        dim: See `CRDLoss`.
        negatives: See `CRDLoss`.
        temperature: See `CRDLoss`.
        momentum: See `CRDLoss`.
        draws: See `CRDLoss`.
    """

    def forward(  # type: ignore[override]
        self, student_embedding: Tensor, teacher_embedding: Tensor, index: Tensor
    ) -> Tensor:
        return super().forward(student_embedding, teacher_embedding, labels=index, index=index)
