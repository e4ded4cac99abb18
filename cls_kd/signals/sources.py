"""Sources: who provides each signal. The batch knows labels, a network knows what its taps show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, singledispatch
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from mmpretrain.models import ImageClassifier, TimmClassifier
from torch import Tensor, nn
from torch.func import functional_call

from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.recorder import Captured, Recorder
from cls_kd.signals.samples import Samples, for_criterion, index_of, labels_of, scores_of
from cls_kd.signals.shapes import Shape
from cls_kd.signals.taps import after_feature, find_taps
from cls_kd.signals.vocabulary import CALLABLES, VOCABULARY, Signal

Role = Literal["student", "teacher"]

NO_PAIRS = (
    "A loss asks for another image of each sample's class (`pair_inputs`), and the training data "
    "give none: put ClassPairs around the data set, dataset=dict(type='ClassPairs', dataset=...). "
    "`--method` does it for its methods, train_data=dict(wrapper=dict(type='ClassPairs')) for a "
    "run of a list."
)
PEER_CLASSIFIERS = "peer_classifiers"


class NetworkSource:
    """The signals of one network.

    Args:
        role: Prefix of the signals' names.
        network: The network; hooks are attached to it, only where a signal asks for one.
        names: The signals wanted of it, full names.
        taps: Places that differ from what the network declares (see ``signals.taps``).

    Raises:
        UserError: The network has no such place; the message lists what it has.
    """

    def __init__(
        self,
        role: Role,
        network: nn.Module,
        names: Iterable[str],
        taps: Mapping[str, str | tuple[str, ...]] | None = None,
    ) -> None:
        self.role = role
        self.network = network
        wanted = [name for name in names if VOCABULARY[name].provider == role]
        self.sees_pairs = "pair_logits" in wanted
        self.tensors = [name for name in wanted if name not in CALLABLES and name != "pair_logits"]
        self.callables = [name for name in wanted if name in CALLABLES]
        logits = f"{role}_logits"
        tapped = [name for name in self.tensors if name not in (logits, PEER_CLASSIFIERS)]
        places = find_taps(network, taps) if tapped or taps else {}
        for name in tapped:
            if name.removeprefix(f"{role}_") not in places:
                _check_peers(network, name)
                own = {place for place in places if f"{role}_{place}" not in VOCABULARY}
                have = own | {f"{role}_{place}" for place in set(places) - own} | {logits}
                raise UserError(
                    f"The {role} {describe(network)} has no place for {name!r}."
                    f"{did_you_mean(name, have)} Declare it with `taps` on the backbone, or in "
                    f"the config: `{role}_taps=dict({name.removeprefix(f'{role}_')}=...)`."
                )
        if PEER_CLASSIFIERS in self.tensors and not hasattr(network, PEER_CLASSIFIERS):
            _check_peers(network, PEER_CLASSIFIERS)
        self.recorder = Recorder(
            network, {name: places[name.removeprefix(f"{role}_")] for name in tapped}
        )

    def run(self, inputs: Tensor) -> dict[str, Any]:
        """One pass: every wanted tensor signal."""
        with self.recorder.recording():
            logits = self.network(inputs)
            return {f"{self.role}_logits": logits, **self.recorder.take(), **self._weights()}

    def functions(self, data_samples: Samples) -> dict[str, Any]:
        """Every wanted callable signal of this network."""
        makers: dict[str, Callable[[], Any]] = {
            f"{self.role}_classify": lambda: classify_with(self.network),
            f"{self.role}_forward": lambda: self.network,
            f"{self.role}_criterion": lambda: criterion_of(self.network, data_samples),
        }
        return {name: makers[name]() for name in self.callables}

    def on_pairs(self, batch: Batch) -> dict[str, Tensor]:
        """Logits of the paired images, where a loss asks for them: a second pass, no gradient."""
        if not self.sees_pairs:
            return {}
        with torch.no_grad():
            return {"pair_logits": self.network(batch.pair_inputs)}

    def measure(self, inputs: Tensor) -> dict[str, Shape | tuple[Shape, ...]]:
        """One dry pass in eval mode: the shape of every wanted signal without the batch axis."""
        training = self.network.training
        if self.role == "student" and self.recorder.taps:
            self._rehearse_training(inputs)
        self.network.eval()
        with torch.no_grad(), self.recorder.rehearsing():
            logits = self.network(inputs)
            if not isinstance(logits, Tensor) or logits.ndim != 2:
                raise UserError(
                    f"The {self.role} {describe(self.network)} must give logits (N, K) when it is "
                    f"called; it gave {_kind(logits)}."
                )
            seen = {f"{self.role}_logits": logits, **self.recorder.take(), **self._weights()}
        self.network.train(training)
        for name, value in seen.items():
            self._check_rank(name, value)
        return {name: _shape(value, VOCABULARY[name]) for name, value in seen.items()}

    def _weights(self) -> dict[str, Tensor]:
        """The signal that is no output but weights of the network, with their gradient."""
        asked = PEER_CLASSIFIERS in self.tensors
        network: Any = self.network
        return {PEER_CLASSIFIERS: network.peer_classifiers()} if asked else {}

    def _rehearse_training(self, inputs: Tensor) -> None:
        """A dry pass in training mode, where other operations may overwrite what is tapped.

        Batch norm's statistics and the random state stay as they are.
        """
        self.network.train()
        buffers = {name: value.clone() for name, value in self.network.named_buffers()}
        # Two images: batch norm in training mode cannot do with one value a channel.
        batch = torch.cat([inputs, inputs])
        with torch.random.fork_rng(), torch.no_grad(), self.recorder.rehearsing():
            functional_call(self.network, buffers, (batch,))

    def _check_rank(self, name: str, value: Captured) -> None:
        signal = VOCABULARY[name]
        for item in value if isinstance(value, tuple) else (value,):
            if item.ndim != signal.rank:
                raise UserError(
                    f"The {self.role} {describe(self.network)} gives {name!r} of shape "
                    f"{tuple(item.shape)}; it must be {signal.shape}. Name another place in `taps`."
                )


class Batch:
    """The signals that come with the data.

    Args:
        inputs: Normalised images, (N, 3, H, W).
        data_samples: mmpretrain's samples with ``gt_label`` or, under mixup, ``gt_score``; or the
            same of all samples at once.
        num_classes: K.
        pairs: Another normalised image of each sample's class, where the data have them.
    """

    def __init__(
        self,
        inputs: Tensor,
        data_samples: Samples,
        num_classes: int,
        pairs: Tensor | None = None,
    ) -> None:
        self.inputs = inputs
        self.data_samples = data_samples
        self.num_classes = num_classes
        self.pairs = pairs

    @cached_property
    def labels(self) -> Tensor:
        """(N,) int64; where the labels are mixed, the class of the largest share."""
        if self._scores is not None:
            return self.targets.argmax(dim=1)
        labels = labels_of(self.data_samples).to(self.inputs.device)
        # On an accelerator the check would cost a synchronisation; there the data set is checked
        # once before training.
        if labels.device.type == "cpu":
            check_label_range(labels, self.num_classes, "this batch")
        return labels

    @cached_property
    def targets(self) -> Tensor:
        """(N, K) float32."""
        scores = self._scores
        if scores is None:
            return F.one_hot(self.labels, self.num_classes).float()
        if scores.shape[1] != self.num_classes:
            raise UserError(
                f"The data give label distributions over {scores.shape[1]} classes, the "
                f"student has {self.num_classes}."
            )
        return scores.float().to(self.inputs.device)

    @cached_property
    def index(self) -> Tensor:
        """(N,) int64."""
        return index_of(self.data_samples).to(self.inputs.device)

    @cached_property
    def _scores(self) -> Tensor | None:
        return scores_of(self.data_samples)

    @property
    def pair_inputs(self) -> Tensor:
        """(N, 3, H, W)."""
        if self.pairs is None:
            raise UserError(NO_PAIRS)
        return self.pairs

    @property
    def epoch(self) -> int:
        """Finished epochs; 0 outside a runner."""
        return int(_runtime("epoch", 0))

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole training; 1 outside a runner, and in a loop that counts steps."""
        return int(_runtime("max_epochs", 1))

    @property
    def progress(self) -> float:
        """Finished share of all training steps; 0 outside a runner."""
        return training_progress()


def training_progress() -> float:
    """Share of all training steps that is finished, from the runner; 0 where there is none."""
    total = _runtime("max_iters", 0)
    return min(_runtime("iter", 0) / total, 1.0) if total else 0.0


def check_label_range(labels: Tensor, num_classes: int, where: str) -> None:
    """Refuse labels outside 0 .. K-1.

    Raises:
        UserError: With the range that was found.
    """
    if labels.numel() == 0:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise UserError(
            f"Labels out of range: {where} has labels from {low} to {high}, the student has "
            f"{num_classes} classes (0 to {num_classes - 1})."
        )


def criterion_of(network: nn.Module, data_samples: Samples) -> Callable[[Tensor], Tensor]:
    """The network's own training loss of logits against the batch's (possibly mixed) labels."""
    owner: Any = network if hasattr(network, "_get_loss") else getattr(network, "head", None)
    if not hasattr(owner, "_get_loss"):
        raise UserError(
            f"{describe(network)} has no criterion: a classifier of mmpretrain has one in its "
            "head (`loss=dict(type='CrossEntropyLoss')`)."
        )

    def criterion(logits: Tensor) -> Tensor:
        return owner._get_loss(logits, for_criterion(data_samples, owner))["loss"]

    return criterion


@singledispatch
def classify_with(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The part of a network after its last map: pooling and classifier, (N, C, h, w) -> (N, K)."""
    classify: Any = getattr(network, "classify", None)
    if classify is not None:
        return classify
    raise UserError(
        f"{describe(network)} cannot classify a feature map on its own: give it a method "
        "`classify(feature) -> logits`."
    )


@classify_with.register
def _(network: ImageClassifier) -> Callable[[Tensor], Tensor]:
    def classify(feature: Tensor) -> Tensor:
        features: Any = (after_feature(network.backbone, feature),)
        return network.head(network.neck(features) if network.with_neck else features)

    return classify


@classify_with.register
def _(network: TimmClassifier) -> Callable[[Tensor], Tensor]:
    return network.model.forward_head


def describe(network: nn.Module) -> str:
    """Class of a network, with its backbone's: ``ImageClassifier(ResNet)``."""
    inner = getattr(network, "backbone", None) or getattr(network, "model", None)
    name = type(network).__name__
    return f"{name}({type(inner).__name__})" if isinstance(inner, nn.Module) else name


def _runtime(key: str, default: Any) -> Any:
    return MessageHub.get_current_instance().runtime_info.get(key, default)


def _check_peers(network: nn.Module, name: str) -> None:
    """Refuse a signal of branches, where there are none."""
    if name.startswith("peer_") or name == "ensemble_logits":
        raise UserError(
            f"A loss asks for {name!r}, and the student {describe(network)} is one network: online "
            "distillation needs a student of several branches, "
            "dict(type='MultiBranchClassifier', ...), as in configs/digits/branches.py."
        )


def _shape(value: Captured, signal: Signal) -> Shape | tuple[Shape, ...]:
    if isinstance(value, tuple):
        return tuple(tuple(item.shape[1:]) for item in value)
    return tuple(size for axis, size in enumerate(value.shape) if axis != signal.batch_axis)


def _kind(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
