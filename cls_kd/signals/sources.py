"""Sources: who provides each signal. The batch knows labels, a network knows what its taps show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, singledispatch
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from mmpretrain.models import ImageClassifier, TimmClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.func import functional_call

from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.recorder import Captured, Recorder
from cls_kd.signals.shapes import Shape
from cls_kd.signals.taps import find_taps
from cls_kd.signals.vocabulary import CALLABLES, VOCABULARY

Role = Literal["student", "teacher"]


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
        self.tensors = [name for name in wanted if name not in CALLABLES]
        self.callables = [name for name in wanted if name in CALLABLES]
        logits = f"{role}_logits"
        tapped = [name for name in self.tensors if name != logits]
        places = find_taps(network, taps) if tapped or taps else {}
        for name in tapped:
            if name.removeprefix(f"{role}_") not in places:
                have = {f"{role}_{place}" for place in places} | {logits}
                raise UserError(
                    f"The {role} {describe(network)} has no place for {name!r}."
                    f"{did_you_mean(name, have)} Declare it with `taps` on the backbone, or in "
                    f"the config: `{role}_taps=dict({name.removeprefix(f'{role}_')}=...)`."
                )
        self.recorder = Recorder(
            network, {name: places[name.removeprefix(f"{role}_")] for name in tapped}
        )

    def run(self, inputs: Tensor) -> dict[str, Any]:
        """One pass: every wanted tensor signal."""
        with self.recorder.recording():
            logits = self.network(inputs)
            return {f"{self.role}_logits": logits, **self.recorder.take()}

    def functions(self, data_samples: list[DataSample]) -> dict[str, Any]:
        """Every wanted callable signal of this network."""
        makers: dict[str, Callable[[], Any]] = {
            f"{self.role}_classify": lambda: classify_with(self.network),
            f"{self.role}_forward": lambda: self.network,
            f"{self.role}_criterion": lambda: criterion_of(self.network, data_samples),
        }
        return {name: makers[name]() for name in self.callables}

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
            seen = {f"{self.role}_logits": logits, **self.recorder.take()}
        self.network.train(training)
        for name, value in seen.items():
            self._check_rank(name, value)
        return {name: _shape(value) for name, value in seen.items()}

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
        data_samples: mmpretrain's samples with ``gt_label`` or, under mixup, ``gt_score``.
        num_classes: K.
    """

    def __init__(self, inputs: Tensor, data_samples: list[DataSample], num_classes: int) -> None:
        self.inputs = inputs
        self.data_samples = data_samples
        self.num_classes = num_classes

    @cached_property
    def labels(self) -> Tensor:
        """(N,) int64; where the labels are mixed, the class of the largest share."""
        if "gt_score" in self.data_samples[0]:
            return self.targets.argmax(dim=1)
        labels = torch.cat([sample.gt_label for sample in self.data_samples])
        labels = labels.to(self.inputs.device)
        # On an accelerator the check would cost a synchronisation; there the data set is checked
        # once before training.
        if labels.device.type == "cpu":
            check_label_range(labels, self.num_classes, "this batch")
        return labels

    @cached_property
    def targets(self) -> Tensor:
        """(N, K) float32."""
        if "gt_score" in self.data_samples[0]:
            scores = torch.stack([sample.gt_score for sample in self.data_samples])
            if scores.shape[1] != self.num_classes:
                raise UserError(
                    f"The data give label distributions over {scores.shape[1]} classes, the "
                    f"student has {self.num_classes}."
                )
            return scores.float().to(self.inputs.device)
        return F.one_hot(self.labels, self.num_classes).float()

    @cached_property
    def index(self) -> Tensor:
        """(N,) int64."""
        first = self.data_samples[0]
        if "sample_idx" not in first:
            raise UserError(
                "A loss asks for `index`, and the samples have no `sample_idx`: let the data set "
                "derive from mmpretrain's BaseDataset, and PackInputs keep the key 'sample_idx'."
            )
        places = [sample.sample_idx for sample in self.data_samples]
        return torch.tensor(places, device=self.inputs.device)

    @property
    def epoch(self) -> int:
        """Finished epochs; 0 outside a runner."""
        return int(_runtime("epoch", 0))

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


def criterion_of(network: nn.Module, data_samples: list[DataSample]) -> Callable[[Tensor], Tensor]:
    """The network's own training loss of logits against the batch's (possibly mixed) labels."""
    owner: Any = network if hasattr(network, "_get_loss") else getattr(network, "head", None)
    if not hasattr(owner, "_get_loss"):
        raise UserError(
            f"{describe(network)} has no criterion: a classifier of mmpretrain has one in its "
            "head (`loss=dict(type='CrossEntropyLoss')`)."
        )

    def criterion(logits: Tensor) -> Tensor:
        return owner._get_loss(logits, data_samples)["loss"]

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
        features: Any = (feature,)
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


def _shape(value: Captured) -> Shape | tuple[Shape, ...]:
    if isinstance(value, tuple):
        return tuple(tuple(item.shape[1:]) for item in value)
    return tuple(value.shape[1:])


def _kind(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
