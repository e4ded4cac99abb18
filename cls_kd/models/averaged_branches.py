"""Branches with a moving average of their weights, which teaches them and is deployed."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.model import ModuleList
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.multi_branch import BranchOutputs, MultiBranchClassifier
from cls_kd.registry import MODELS


class AveragedBranches(nn.Module):
    """A copy of a trunk and its branches whose weights, all buffers, follow those of the original.

    Its batch normalization has statistics of its own passes.

    Args:
        trunk: The common part; None where there is none.
        branches: Classifiers.
        momentum: Largest fraction of the average that a step keeps; in step t (from 0) it keeps
            1 - 1 / (t + 1) at most.
    """

    steps: Tensor

    def __init__(self, trunk: nn.Module | None, branches: ModuleList, momentum: float) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk)
        self.branches = copy.deepcopy(branches)
        self.momentum = momentum
        self.names = [name for name, _ in self.named_parameters()]
        for module in self.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())
        self.register_buffer("steps", torch.zeros(()))

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the weights of ``network``, whose parts have the same names."""
        kept = (1 - 1 / (self.steps + 1)).clamp(max=self.momentum)
        averages, weights = dict(self.named_buffers()), dict(network.named_parameters())
        for name in self.names:
            averages[name].lerp_(weights[name], 1 - kept)
        self.steps += 1

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of every branch, (P, N, K)."""
        shared = inputs if self.trunk is None else self.trunk(inputs)[-1]
        return torch.stack([branch(shared) for branch in self.branches])


@MODELS.register_module()
class AveragedMultiBranchClassifier(MultiBranchClassifier):
    """`MultiBranchClassifier` with the moving average of all its weights: PCL's mean teachers.

    In training it adds the signal ``mean_peer_logits``, (P, N, K), the logits of the averaged
    branches in training mode. Predictions, and a branch that is taken out, are those of the
    averaged branches; the fusion is the one that is trained.

    Args:
        momentum: Fraction of the average that a step keeps, from 0 to 1.
        options: As of `MultiBranchClassifier`.

    Raises:
        UserError: The momentum makes no sense; see also `MultiBranchClassifier`.
    """

    def __init__(self, *parts: Any, momentum: float = 0.999, **options: Any) -> None:
        if not 0 <= momentum < 1:
            raise UserError(
                f"AveragedMultiBranchClassifier: momentum must be in [0, 1), not {momentum!r}."
            )
        super().__init__(*parts, **options)
        self.mean = AveragedBranches(self.trunk, self.branches, momentum)
        self.mean_exits = BranchOutputs()
        self.taps["mean_peer_logits"] = "mean_exits[0]"

    def _deployed(self) -> tuple[nn.Module | None, ModuleList]:
        return self.mean.trunk, self.mean.branches

    def _run(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        logits, embeddings, targets, ensemble = super()._run(inputs)
        if self.training:
            self.mean.follow(self)
        (means,) = self.mean_exits(self.mean(inputs))
        deployed = logits if self.training else means
        return deployed, embeddings, targets, ensemble
