"""BYOT: be your own teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import peer_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_fraction, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.modules.exits import Exits
from cls_kd.signals.shapes import SignalShapes


class BYOTLoss(DistillLoss):
    r"""Teach early-exit classifiers on the student's stages by its deepest one.

    Paper: Zhang et al. 2019, arXiv:1905.08094

    .. math:: L = (1 - \alpha) \sum_a \mathrm{criterion}(z_a)
              + \alpha T^2 \sum_a \mathrm{KL}(\mathrm{softmax}(z / T) \,\|\,
              \mathrm{softmax}(z_a / T)) + \beta \sum_{a,n,d} m_{and} (e_{and} - e_{nd})^2

    over the exits a, one on each stage but the last; z and e are the logits and the embedding of
    the deepest classifier, constants, and m is 1 where one of both embeddings is above 0. KL is a
    mean over the batch, the last term a sum. The exits are parts of the loss: they train the
    stages and are not deployed.

    [0] L. Zhang, J. Song, A. Gao, J. Chen, C. Bao, K. Ma, "Be Your Own Teacher: Improve the
        Performance of Convolutional Neural Networks via Self Distillation", ICCV 2019,
        arXiv:1905.08094.
    [1] luanyunteng/pytorch-be-your-own-teacher@8045079:train.py, by a third party; none of the
        authors' is known. Its KD is a cross-entropy, with the same gradient. The layers of an exit
        are ours: for each stage that follows a 3x3 convolution with batch normalization and ReLU,
        then pooling and a linear classifier.

    Shapes:
        student_logits: (N, K).
        student_embedding: (N, D).
        student_stages: tuple of (N, C, h, w), at least two.

    Args:
        temperature: T. Default: of [1], on CIFAR-100.
        logit_weight: alpha, from 0 to 1. Default: of [1].
        feature_weight: beta. Default: of [1].

    Weight:
        1, beside the student's own loss of weight 1 - alpha.
    """

    search_space = search_over(
        temperature=TEMPERATURE,
        logit_weight=Range(0.01, 1.0, log=True),
        feature_weight=Range(1e-08, 0.001, log=True),
    )

    def __init__(
        self,
        *,
        temperature: float = 3.0,
        logit_weight: float = 0.1,
        feature_weight: float = 1e-6,
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_fraction(self, logit_weight=logit_weight)
        check_not_negative(self, feature_weight=feature_weight)
        self.temperature = temperature
        self.logit_weight = logit_weight
        self.feature_weight = feature_weight
        self.exits: Exits | None = None

    def build(self, shapes: SignalShapes) -> None:
        stages = shapes.tensors("student_stages")
        if len(stages) < 2:
            raise UserError(
                "BYOTLoss puts a classifier on every stage of the student but the last, and there "
                "is 1 stage."
            )
        width = shapes.tensor("student_embedding")[0]
        self.exits = Exits(stages, width, shapes.num_classes)

    def forward(
        self,
        student_logits: Tensor,
        student_embedding: Tensor,
        student_stages: tuple[Tensor, ...],
        student_criterion: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        logits, embeddings = built(self.exits, self)(student_stages)
        task = torch.stack([student_criterion(exit_logits) for exit_logits in logits]).sum()
        target = student_logits.detach().expand_as(logits)
        return dict(
            loss_task=(1 - self.logit_weight) * task,
            loss_logits=self.logit_weight * peer_kl(logits, target, self.temperature),
            loss_features=self.feature_weight * _distance(embeddings, student_embedding.detach()),
        )


def _distance(embeddings: Tensor, deepest: Tensor) -> Tensor:
    active = (embeddings > 0) | (deepest > 0)
    return ((embeddings - deepest).square() * active).sum()
