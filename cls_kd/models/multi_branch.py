"""Several branches, or several whole networks, trained together; one of them is deployed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import ModuleList
from mmpretrain.models import ImageClassifier
from mmpretrain.models.classifiers.base import BaseClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models.fusions import BranchSizes
from cls_kd.models.split_backbone import find_cut, probe, without
from cls_kd.registry import MODELS

ENSEMBLE = "ensemble"
"""``deploy='ensemble'``: the logits are the fusion's."""


class BranchOutputs(nn.Module):
    """Identity on the outputs of all branches: a hook point for taps."""

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        return values


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return gradients[0] * ctx.scale, None


@MODELS.register_module()
class MultiBranchClassifier(BaseClassifier):
    """P branches on a shared trunk, or P networks that share nothing, and a fusion of them.

    Every branch is freshly initialized. The trunk runs once. Losses live outside: they ask for
    ``peer_logits``, ``peer_embeddings``, ``peer_targets``, ``peer_classifiers`` and
    ``ensemble_logits``. Predictions carry ``peer_scores`` (P, K) and ``ensemble_score`` (K) beside
    the scores of what is deployed.

    Args:
        backbone: Config of a backbone, of mmpretrain or of ours.
        head: Config of a classifier head; each branch has its own.
        neck: Config of a neck; each branch has its own.
        cut_after: Module of the backbone after which the branches part, as ``'layer2'``; None: P
            whole networks.
        num_branches: P.
        fusion: Config of a fusion (see ``models.fusions``).
        deploy: The classifier's output: the index of a branch (-1: the last), or ``'ensemble'``.
        branch_gradient_scale: Factor of the branches' gradient where it enters the trunk. 1: their
            sum, as always; 1 / P: their mean (CL-ILR).
        data_preprocessor: As mmpretrain's classifiers have it, for use without a distiller.
        init_cfg: MMEngine's.

    Attributes:
        taps: Module paths of the signals.

    Raises:
        UserError: The backbone cannot be cut there, or the options do not fit together.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        head: Mapping[str, Any],
        neck: Mapping[str, Any] | None = None,
        *,
        cut_after: str | None,
        num_branches: int = 3,
        fusion: Mapping[str, Any],
        deploy: int | str = 0,
        branch_gradient_scale: float = 1.0,
        data_preprocessor: Mapping[str, Any] | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        if data_preprocessor is not None:
            data_preprocessor = {"type": "ClsDataPreprocessor", **data_preprocessor}
        super().__init__(init_cfg, data_preprocessor)
        if num_branches < 1:
            raise UserError(f"num_branches must be 1 or more, not {num_branches}.")
        if cut_after is None and branch_gradient_scale != 1.0:
            raise UserError(
                "branch_gradient_scale acts where branches leave a trunk; with cut_after=None "
                "there is none."
            )
        self.deploy = check_deploy(deploy, num_branches)
        self.branch_gradient_scale = branch_gradient_scale
        self.config = copy.deepcopy({"backbone": backbone, "neck": neck, "head": head})
        self.trunk: nn.Module | None = None
        self.branches = ModuleList([self._whole() for _ in range(num_branches)])
        if cut_after is not None:
            # A backbone more than there are branches: its weights are the trunk's.
            trunk = self._whole().backbone
            cut = find_cut(trunk, cut_after)
            self.trunk = without(trunk, cut.after)
            for branch in self.branches:
                without(branch.backbone, cut.before)
        self.fusion = MODELS.build({**fusion, "sizes": self._measure()})
        self.exits = BranchOutputs()
        self.taps = self._taps()

    @property
    def head(self) -> Any:
        """The first branch's head, for its criterion; all are alike."""
        return self.branches[0].head

    def peer_classifiers(self) -> Tensor:
        """Weights of the branches' last linear layers, (P, K, D), with their gradient.

        Raises:
            UserError: A head has no linear layer.
        """
        weights = [
            branch.head.get_parameter(f"{_linear(branch)}.weight") for branch in self.branches
        ]
        return torch.stack(weights)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """``mode='tensor'``: logits of what is deployed; ``'predict'``: samples with scores.

        Raises:
            UserError: Another mode; the distiller computes the losses.
        """
        logits, _, _, ensemble = self.exits(*self._run(inputs))
        deployed = ensemble if self.deploy == ENSEMBLE else logits[self.deploy]
        if mode == "tensor":
            return deployed
        if mode == "predict":
            return self._predict(deployed, logits, ensemble, data_samples)
        raise UserError(
            f"MultiBranchClassifier has no mode {mode!r}: it is trained as a distiller's student."
        )

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The last map of every branch."""
        shared = inputs if self.trunk is None else self._shared(inputs)
        return tuple(branch.backbone(shared)[-1] for branch in self.branches)

    def branch(self, index: int) -> ImageClassifier:
        """One branch with the trunk, as an ordinary classifier with copies of the weights."""
        trunk, branches = self._deployed()
        state = {key: value.clone() for key, value in branches[index].state_dict().items()}
        if trunk is not None:
            shared = trunk.state_dict()
            state.update({f"backbone.{key}": value.clone() for key, value in shared.items()})
        whole = self._whole()
        whole.load_state_dict(state)
        return whole.train(self.training)

    def _deployed(self) -> tuple[nn.Module | None, ModuleList]:
        """The trunk and the branches whose weights are deployed."""
        return self.trunk, self.branches

    def _whole(self) -> ImageClassifier:
        parts = {
            name: config and MODELS.build(dict(config)) for name, config in self.config.items()
        }
        return ImageClassifier(**parts)

    def _shared(self, inputs: Tensor) -> Tensor:
        assert self.trunk is not None
        return self.trunk(inputs)[-1]

    def _run(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        shared = None if self.trunk is None else self._shared(inputs)
        entry = inputs if shared is None else self._entry(shared)
        logits, embeddings, features = [], [], []
        for branch in self.branches:
            maps = branch.backbone(entry)
            seen = branch.neck(maps) if branch.with_neck else maps
            features.append(maps[-1])
            embeddings.append(branch.head.pre_logits(seen))
            logits.append(branch.head(seen))
        stacked, embedded = torch.stack(logits), torch.stack(embeddings)
        return stacked, embedded, *self.fusion(stacked, embedded, features, shared)

    def _entry(self, shared: Tensor) -> Tensor:
        if self.branch_gradient_scale == 1.0 or not torch.is_grad_enabled():
            return shared
        return _ScaledGradient.apply(shared, self.branch_gradient_scale)

    def _predict(
        self,
        deployed: Tensor,
        logits: Tensor,
        ensemble: Tensor,
        data_samples: list[DataSample] | None,
    ) -> list[DataSample]:
        predictions = self.head._get_predictions(deployed, data_samples)
        peers = logits.softmax(2).transpose(0, 1)  # (N, P, K)
        for sample, peer_scores, ensemble_score in zip(
            predictions, peers, ensemble.softmax(1), strict=True
        ):
            sample.set_field(peer_scores, "peer_scores")
            sample.set_field(ensemble_score, "ensemble_score")
        return predictions

    @torch.no_grad()
    def _measure(self) -> BranchSizes:
        training = self.training
        self.eval()
        inputs = probe(self.trunk or self.branches[0].backbone)
        shared = None if self.trunk is None else self._shared(inputs)
        branch = self.branches[0]
        maps = branch.backbone(inputs if shared is None else shared)
        pooled = branch.neck(maps) if branch.with_neck else maps
        seen = branch.head.pre_logits(pooled)
        classes = branch.head(pooled).shape[-1]
        self.train(training)
        return BranchSizes(
            branches=len(self.branches),
            feature=maps[-1].shape[1],
            embedding=seen.shape[-1],
            shared=None if shared is None else shared.shape[1],
            classes=classes,
        )

    def _taps(self) -> dict[str, str]:
        names = ("peer_logits", "peer_embeddings", "peer_targets", "ensemble_logits")
        taps = {name: f"exits[{index}]" for index, name in enumerate(names)}
        if self.deploy != ENSEMBLE:
            path = f"branches.{self.deploy}"
            taps["feature"] = f"{path}.backbone[-1]"
            taps["embedding"] = f"{path}.head.{_linear(self.branches[self.deploy])}:input"
        return taps


def check_deploy(deploy: int | str, branches: int) -> int | str:
    """The deployed branch, counted from the first, or ``'ensemble'``.

    Raises:
        UserError: There is no such branch.
    """
    if deploy == ENSEMBLE:
        return deploy
    if not isinstance(deploy, int) or not -branches <= deploy < branches:
        raise UserError(
            f"There is no branch {deploy!r}: there are 0 to {branches - 1}, -1 is the last, and "
            f"{ENSEMBLE!r} is all of them."
        )
    return deploy % branches


def _linear(branch: ImageClassifier) -> str:
    names = [name for name, module in branch.head.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UserError(
            f"{type(branch.head).__name__} has no linear layer: branches need a classifier each."
        )
    return names[-1]
