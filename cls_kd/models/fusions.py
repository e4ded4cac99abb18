"""Fusions: from the outputs of all branches to an ensemble and a target for each branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.plain_backbone import KAIMING, conv1x1, depthwise
from cls_kd.registry import MODELS

_NARROWEST = 4
"""Minimum width of a reduced layer in narrow networks (ours)."""


@dataclass(frozen=True)
class BranchSizes:
    """Sizes that a fusion is built from; the classifier measures them.

    Attributes:
        branches: P.
        feature: Channels of a branch's last map.
        embedding: D, what a classifier sees.
        shared: Channels of the map that all branches begin with; None where they share nothing.
        classes: K.
    """

    branches: int
    feature: int
    embedding: int
    shared: int | None
    classes: int


Fused = tuple[Tensor, Tensor]
"""Target logits of each branch, (P, N, K), and logits of the ensemble, (N, K)."""


class Fusion(BaseModule):
    """Base of all fusions.

    Args:
        sizes: Filled in by ``MultiBranchClassifier``.
    """

    def __init__(self, *, sizes: BranchSizes) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        """Fuse.

        Args:
            logits: (P, N, K).
            embeddings: (P, N, D).
            features: The last map of each branch, P of (N, C, h, w).
            shared: The map that all begin with, (N, C, h, w), or None.
        """
        raise NotImplementedError


@MODELS.register_module()
class MeanFusion(Fusion):
    """The mean of all logits.

    Args:
        own: True: the target of a branch is the mean of all branches; False: of all others
            (CL-ILR, arXiv:1805.11761). The ensemble is the mean of all in both cases.
        sizes: See the base class.
    """

    def __init__(self, *, own: bool = True, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        if not own and sizes.branches < 2:
            raise UserError("MeanFusion(own=False) needs at least two branches.")
        self.own = own

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        ensemble = logits.mean(0)
        if self.own:
            return ensemble.expand_as(logits), ensemble
        return (logits.sum(0) - logits) / (len(logits) - 1), ensemble


class _Weighted(Fusion):
    """Fusions with a weight for each branch and image; the weighted sum is the target of all."""

    def weigh(self, features: Sequence[Tensor], shared: Tensor | None) -> Tensor:
        """(N, P), positive, with sum 1."""
        raise NotImplementedError

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        weights = self.weigh(features, shared).t().unsqueeze(2)  # (P, N, 1)
        ensemble = (weights * logits).sum(0)
        return ensemble.expand_as(logits), ensemble


@MODELS.register_module()
class GateFusion(_Weighted):
    """ONE's gate: pooling, linear, batch norm, ReLU and softmax on the shared map.

    arXiv:1806.04606, as Lan-Xu/ONE_NeurIPS2018. Where whole networks share no map, its input is
    the last maps of all, concatenated (ours).

    Args:
        sizes: See the base class.
    """

    def __init__(self, *, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        self.fc = nn.Linear(sizes.shared or sizes.branches * sizes.feature, sizes.branches)
        self.norm = nn.BatchNorm1d(sizes.branches)

    def weigh(self, features: Sequence[Tensor], shared: Tensor | None) -> Tensor:
        pooled = torch.cat(tuple(features), 1) if shared is None else shared
        return F.softmax(self.norm(self.fc(pooled.mean((2, 3)))).relu(), dim=1)


@MODELS.register_module()
class FeatureFusion(_Weighted):
    """OKDMDE's feature fusion module: the weights come from the last maps of all branches.

    arXiv:2010.00795 fixes its input and output; the layers are ours: concatenate,
    1x1 convolution to C, batch norm, ReLU, pooling, linear to C / 8, ReLU, linear to P, softmax.

    Args:
        reduction: What C is divided by.
        sizes: See the base class.
    """

    def __init__(self, *, reduction: int = 8, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        channels = sizes.feature
        hidden = max(channels // reduction, _NARROWEST)
        self.conv = nn.Conv2d(sizes.branches * channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.squeeze = nn.Linear(channels, hidden)
        self.fc = nn.Linear(hidden, sizes.branches)

    def weigh(self, features: Sequence[Tensor], shared: Tensor | None) -> Tensor:
        fused = self.norm(self.conv(torch.cat(tuple(features), 1))).relu()
        return F.softmax(self.fc(self.squeeze(fused.mean((2, 3))).relu()), dim=1)


@MODELS.register_module()
class FeatureClassifierFusion(Fusion):
    """FFL's fusion module: a classifier on the last maps of all branches, the target of each.

    arXiv:1904.09058, as Jangho-Kim/FFL-pytorch: concatenate, depthwise 3x3 convolution, batch norm,
    ReLU, 1x1 convolution to C, batch norm, ReLU, pooling, linear.

    Args:
        sizes: See the base class.
    """

    def __init__(self, *, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        self.init_cfg = KAIMING
        concatenated = sizes.branches * sizes.feature
        self.body = nn.Sequential(
            depthwise(concatenated),
            nn.BatchNorm2d(concatenated),
            nn.ReLU(inplace=True),
            conv1x1(concatenated, sizes.feature),
            nn.BatchNorm2d(sizes.feature),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Linear(sizes.feature, sizes.classes)

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        ensemble = self.fc(self.body(torch.cat(tuple(features), 1)).mean((2, 3)))
        return ensemble.expand_as(logits), ensemble


@MODELS.register_module()
class EmbeddingClassifierFusion(Fusion):
    """PCL's ensemble: a classifier on the embeddings of all branches, the target of each.

    arXiv:2006.04147: linear, on the embeddings concatenated.

    Args:
        sizes: See the base class.
    """

    def __init__(self, *, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        self.fc = nn.Linear(sizes.branches * sizes.embedding, sizes.classes)

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        ensemble = self.fc(embeddings.transpose(0, 1).flatten(1))
        return ensemble.expand_as(logits), ensemble


@MODELS.register_module()
class AttentionFusion(Fusion):
    """OKDDip's attention among auxiliary peers; the last branch is the leader.

    arXiv:1912.00350, as DefangChen/OKDDip-AAAI2020: query and key are linear maps of the embedding
    to D / 8 without bias, the score is their product without a scale, a peer attends to itself
    as well. The leader, and the ensemble, is the mean of the auxiliary peers.

    Args:
        reduction: What D is divided by.
        sizes: See the base class.
    """

    def __init__(self, *, reduction: int = 8, sizes: BranchSizes) -> None:
        super().__init__(sizes=sizes)
        if sizes.branches < 2:
            raise UserError("AttentionFusion needs a leader and at least one auxiliary branch.")
        width = max(sizes.embedding // reduction, _NARROWEST)
        self.query = nn.Linear(sizes.embedding, width, bias=False)
        self.key = nn.Linear(sizes.embedding, width, bias=False)

    def forward(
        self, logits: Tensor, embeddings: Tensor, features: Sequence[Tensor], shared: Tensor | None
    ) -> Fused:
        peers, seen = logits[:-1], embeddings[:-1]  # A = P - 1 auxiliary peers
        query, key = self.query(seen), self.key(seen)
        scores = (query.unsqueeze(1) * key.unsqueeze(0)).sum(-1, keepdim=True)  # (A, A, N, 1)
        targets = (F.softmax(scores, dim=1) * peers.unsqueeze(0)).sum(1)  # (A, N, K)
        leader = peers.mean(0)
        return torch.cat([targets, leader.unsqueeze(0).to(targets)]), leader
