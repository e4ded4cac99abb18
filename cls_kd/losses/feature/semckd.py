"""SemCKD: semantic calibration of the pairs of layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import BottleneckConnector
from cls_kd.signals.shapes import SignalShapes

Stages = tuple[Tensor, ...]


class SemCKDLoss(DistillLoss):
    r"""Regress every stage of the teacher from every stage of the student, weighted by attention.

    Paper: Chen et al. 2021, arXiv:2012.03236

    .. math:: L = \frac{1}{NS} \sum_{n, i, j} a_{nij} \, \mathrm{mean}\,(r_{ij}(f^s_{ni}) -
                  f^t_{nj})^2, \qquad
              a_{nij} = \mathrm{softmax}_j (q_i(G^s_i)_n \cdot k_j(G^t_j)_n / \tau)

    G is the matrix of inner products between the maps of a batch, (N, N); q and k are two linear
    layers with a ReLU between them on its rows, L2-normalized. r is a bottleneck of three
    convolutions; the larger map is average-pooled first.

    The width of the first linear layer is the batch size, so the loss must know it. A smaller
    batch, such as the last of an epoch, has its rows filled with zeros.

    [0] D. Chen, J.-P. Mei, Y. Zhang, C. Wang, Z. Wang, Y. Feng, C. Chen, "Cross-Layer Distillation
        with Semantic Calibration", AAAI 2021, arXiv:2012.03236.
    [1] DefangChen/SimKD@2b389c3:models/util.py and distiller_zoo/SemCKD.py. Differences: there, a
        smaller last batch is not trained on; a second embedding without any use is left out.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        batch_size: Largest number of samples in a batch of one process. Default: CIFAR-100.
        factor: The embedding has ``batch_size // factor`` entries, the layer before it twice as
            many. Default: CIFAR-100 and ImageNet.
        temperature: tau. Default: CIFAR-100 and ImageNet.

    Weight:
        400 on CIFAR-100, 50 on ImageNet.
    """

    search_space = search_over(temperature=Range(0.1, 10.0, log=True))

    def __init__(self, *, batch_size: int = 64, factor: int = 4, temperature: float = 1.0) -> None:
        super().__init__()
        check_positive(self, batch_size=batch_size, factor=factor, temperature=temperature)
        if batch_size < factor:
            raise UserError(
                f"SemCKDLoss: batch_size must be at least factor, {factor}, not {batch_size}."
            )
        self.batch_size = batch_size
        self.factor = factor
        self.temperature = temperature
        self.queries: nn.ModuleList | None = None
        self.keys: nn.ModuleList | None = None
        self.connectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensors("student_stages"), shapes.tensors("teacher_stages")
        sizes = self.batch_size, self.batch_size // self.factor
        self.queries = nn.ModuleList(_SimilarityEmbedding(*sizes) for _ in student)
        self.keys = nn.ModuleList(_SimilarityEmbedding(*sizes) for _ in teacher)
        self.connectors = nn.ModuleList(
            nn.ModuleList(BottleneckConnector(ours, 2 * theirs, theirs) for theirs, *_ in teacher)
            for ours, *_ in student
        )

    def forward(self, student_stages: Stages, teacher_stages: Stages) -> Tensor:
        teacher_stages = tuple(stage.detach() for stage in teacher_stages)
        queries = self._embed(built(self.queries, self), student_stages)
        keys = self._embed(built(self.keys, self), teacher_stages)
        attention = F.softmax(queries @ keys.transpose(1, 2) / self.temperature, dim=2)  # (N, S, T)
        errors = [
            _squared_error(connector, student, teacher)
            for connectors, student in zip(
                built(self.connectors, self), student_stages, strict=True
            )
            for connector, teacher in zip(connectors, teacher_stages, strict=True)
        ]
        return (attention.flatten(1) * torch.stack(errors, 1)).mean(0).sum() / len(student_stages)

    def _embed(self, embeddings: nn.ModuleList, stages: Stages) -> Tensor:
        """Embedded similarities of each sample at each stage, (N, stages, dim)."""
        missing = self.batch_size - len(stages[0])
        if missing < 0:
            raise UserError(
                f"SemCKDLoss was built for batches of up to {self.batch_size} samples in a "
                f"process; this one has {len(stages[0])}. Give batch_size={len(stages[0])}."
            )
        flat = [stage.flatten(1) for stage in stages]
        rows = [F.pad(features @ features.t(), (0, missing)) for features in flat]
        pairs = zip(embeddings, rows, strict=True)
        return torch.stack([embed(similarities) for embed, similarities in pairs], 1)


class _SimilarityEmbedding(nn.Module):
    """Two linear layers onto the unit sphere: (N, width) -> (N, dim)."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, 2 * dim)
        self.linear2 = nn.Linear(2 * dim, dim)

    def forward(self, rows: Tensor) -> Tensor:
        return F.normalize(self.linear2(F.relu(self.linear1(rows))), dim=1)


def _squared_error(connector: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error of each sample, (N,)."""
    student, teacher = match_size(student, teacher)
    return (connector(student) - teacher).square().flatten(1).mean(1)
