"""The signals of one network: its logits, what its taps record, and its callables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.batch import Batch
from cls_kd.signals.forward_from import ForwardFrom, check_stages
from cls_kd.signals.heads import classify_with, criterion_of, describe, logits_of
from cls_kd.signals.norms import norm_before, norm_parameters
from cls_kd.signals.recorder import Captured, Recorder
from cls_kd.signals.shapes import Shape
from cls_kd.signals.tap import Tap
from cls_kd.signals.taps import find_taps
from cls_kd.signals.vocabulary import CALLABLES, VOCABULARY, Signal

Role = Literal["student", "teacher"]
Indices = frozenset[int] | None
"""Which items of a signal that is a tuple are wanted; None for all."""

PEER_CLASSIFIERS = "peer_classifiers"
PREACT_NORMS = "teacher_preact_norms"
VIEWS = {
    "view_logits": "student_logits",
    "view_embeddings": "student_embedding",
    "view_stages": "student_stages",
    "teacher_view_logits": "teacher_logits",
    "teacher_view_embeddings": "teacher_embedding",
    "teacher_view_stages": "teacher_stages",
}
"""Signals of several views to those of one."""

_NO_DISTILLATION_TOKEN = (
    "has no distillation token: its backbone has to be a DistilledVisionTransformer and its head a "
    "DistillationTokenHead, as in configs/networks/imagenet_deit_tiny_distilled.py."
)
_OF_ONE_KIND = {
    "student_expanded_feature": (
        "does not expand its last map: NORM needs a student of type='NToOneClassifier' with "
        "teacher_channels=..., the channels of the teacher's last map."
    ),
    "student_projected": (
        "has no projector: SimKD needs a student with backbone=dict(type='ProjectedBackbone', ...) "
        "and its teacher's classifier, as in configs/digits/simkd.py."
    ),
    "student_class_token_logits": _NO_DISTILLATION_TOKEN,
    "student_distillation_token_logits": _NO_DISTILLATION_TOKEN,
}
"""Signals of one kind of student: what another one lacks."""


class NetworkSource:
    """The signals of one network.

    Args:
        role: Prefix of the signals' names.
        network: The network; hooks are attached to it, only where a signal asks for one.
        names: The signals wanted of it, full names; as a mapping, with the wanted indices of
            signals that are tuples.
        taps: Places that differ from what the network declares (see ``signals.taps``).

    Raises:
        UserError: The network has no such tap; the message lists those that it has.
    """

    def __init__(
        self,
        role: Role,
        network: nn.Module,
        names: Iterable[str] | Mapping[str, Indices],
        taps: Mapping[str, str | tuple[str, ...]] | None = None,
    ) -> None:
        self.role = role
        self.network = network
        self._taps = taps
        wanted = [name for name in names if VOCABULARY[name].provider == role]
        self.criterion: Callable[..., Any] = criterion_of
        self.sees_pairs = "pair_logits" in wanted
        self.views = [name for name in wanted if name in VIEWS]
        others = {"pair_logits", *CALLABLES, *VIEWS}
        # A dict for its order: what views are made of is recorded once.
        recorded = dict.fromkeys([*wanted, *(VIEWS[name] for name in self.views)])
        self.tensors = [name for name in recorded if name not in others]
        self.callables = [name for name in wanted if name in CALLABLES]
        not_tapped = (f"{role}_logits", PEER_CLASSIFIERS, PREACT_NORMS)
        tapped = [name for name in self.tensors if name not in not_tapped]
        wants_norms = PREACT_NORMS in self.tensors
        continued = f"{role}_forward_from" in wanted
        needed = [*tapped, *(["teacher_preacts"] if wants_norms else [])]
        needed += [f"{role}_stages"] if continued else []
        known = find_taps(network, taps) if needed or taps else {}
        for name in needed:
            if name.removeprefix(f"{role}_") not in known:
                self._refuse(name, known)
        self.stages = check_stages(network, role, known["stages"]) if continued else ()
        self.feature = _as_tuple(known["feature"])[-1] if continued else None
        if PEER_CLASSIFIERS in self.tensors and not hasattr(network, PEER_CLASSIFIERS):
            _check_peers(network, PEER_CLASSIFIERS)
        self.norms = (
            [norm_before(network, tap) for tap in _as_tuple(known["preacts"])]
            if wants_norms
            else []
        )
        indices = dict(names) if isinstance(names, Mapping) else {}
        indices |= {VIEWS[name]: None for name in self.views}  # views are made of all items
        self.recorder = Recorder(
            network,
            {
                name: _selected(known[name.removeprefix(f"{role}_")], indices.get(name))
                for name in tapped
            },
        )

    def known_taps(self) -> list[Tap]:
        """Every place that the network has a name for, wanted or not."""
        try:
            known = find_taps(self.network, self._taps)
        except UserError:  # of a place that nobody asks for
            return []
        return [item for tap in known.values() for item in _as_tuple(tap)]

    def run(self, inputs: Tensor) -> dict[str, Any]:
        """One forward pass: every wanted tensor signal."""
        with self.recorder.recording():
            logits = logits_of(self.network(inputs))
            return {f"{self.role}_logits": logits, **self.recorder.take(), **self._weights()}

    def on(
        self, batch: Batch, run: Callable[[Tensor], dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Every wanted tensor signal of a batch; all views of it go through in one pass.

        Args:
            batch: The batch.
            run: Images to signals. Default: :meth:`run`.
        """
        run = run or self.run
        if not self.views:
            return run(batch.inputs)
        views = batch.view_inputs
        seen = run(views.flatten(0, 1))
        shown = {name: _by_views(seen[VIEWS[name]], views.shape[:2]) for name in self.views}
        first = {name: _first(value, name, views.shape[1]) for name, value in seen.items()}
        return {**first, **shown}

    def functions(self, batch: Batch) -> dict[str, Any]:
        """Every wanted callable signal of this network."""
        makers: dict[str, Callable[[], Any]] = {
            f"{self.role}_classify": lambda: classify_with(self.network),
            f"{self.role}_forward": lambda: partial(_forward, self.network),
            f"{self.role}_forward_from": lambda: self.forward_from(batch.inputs),
            f"{self.role}_criterion": lambda: self.criterion(self.network, batch),
        }
        return {name: makers[name]() for name in self.callables}

    def forward_from(self, inputs: Tensor) -> ForwardFrom:
        """Passes through the network from a stage on, for images as it takes them."""
        assert self.feature is not None
        return ForwardFrom(self.network, self.stages, self.feature, inputs)

    def on_pairs(self, batch: Batch) -> dict[str, Tensor]:
        """Logits of the paired images, where a loss asks for them: a second pass, no gradient."""
        if not self.sees_pairs:
            return {}
        with torch.no_grad():
            return {"pair_logits": _forward(self.network, batch.pair_inputs)}

    def measure(self, inputs: Tensor) -> dict[str, Shape | tuple[Shape, ...]]:
        """A forward pass in eval mode: the shape of every wanted signal without the batch axis.

        It also finds the recorded tensors that later operations overwrite in place.
        """
        training = self.network.training
        if self.role == "student" and self.recorder.taps:
            self._find_overwritten_in_training(inputs)
        self.network.eval()
        with torch.no_grad(), self.recorder.finding_overwritten():
            logits = logits_of(self.network(inputs))
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

    def _refuse(self, name: str, taps: Mapping[str, Any]) -> None:
        """Refuse a signal that the network has no tap for."""
        _check_peers(self.network, name)
        _check_kind(self.network, name)
        others = {tap for tap in taps if f"{self.role}_{tap}" not in VOCABULARY}
        known = others | {f"{self.role}_{tap}" for tap in set(taps) - others}
        tap = name.removeprefix(f"{self.role}_")
        raise UserError(
            f"The {self.role} {describe(self.network)} has no tap for {name!r}."
            f"{did_you_mean(name, known | {f'{self.role}_logits'})} Declare it with `taps` on the "
            f"backbone, or in the config: `{self.role}_taps=dict({tap}=...)`."
        )

    def _weights(self) -> dict[str, Any]:
        """The signals that are no outputs but weights of the network, with their gradient."""
        network: Any = self.network
        makers: dict[str, Callable[[], Any]] = {
            PEER_CLASSIFIERS: lambda: network.peer_classifiers(),
            PREACT_NORMS: lambda: tuple(norm_parameters(norm) for norm in self.norms),
        }
        return {name: make() for name, make in makers.items() if name in self.tensors}

    def _find_overwritten_in_training(self, inputs: Tensor) -> None:
        """A forward pass in training mode, where other operations may overwrite what is tapped.

        Batch norm's statistics and the random state stay as they are.
        """
        self.network.train()
        buffers = {name: value.clone() for name, value in self.network.named_buffers()}
        # Two images: batch norm in training mode cannot do with one value a channel.
        batch = torch.cat([inputs, inputs])
        with torch.random.fork_rng(), torch.no_grad(), self.recorder.finding_overwritten():
            functional_call(self.network, buffers, (batch,))

    def _check_rank(self, name: str, value: Captured) -> None:
        signal = VOCABULARY[name]
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None and item.ndim != signal.rank:
                raise UserError(
                    f"The {self.role} {describe(self.network)} gives {name!r} of shape "
                    f"{tuple(item.shape)}; it must be {signal.shape}. Name another module in "
                    "`taps`."
                )


def _first(value: Captured, name: str, count: int) -> Any:
    """Of a signal the part of the first samples."""
    axis = VOCABULARY[name].batch_axis
    if axis is None:
        return value
    if isinstance(value, tuple):
        return tuple(None if item is None else item.narrow(axis, 0, count) for item in value)
    return value.narrow(axis, 0, count)


def _by_views(value: Captured, shape: Sequence[int]) -> Any:
    """A signal of all views, one after the other, with the views as its first axis."""
    if isinstance(value, tuple):
        return tuple(_by_views(item, shape) for item in value if item is not None)
    return value.unflatten(0, tuple(shape))


def _forward(network: nn.Module, inputs: Tensor) -> Tensor:
    return logits_of(network(inputs))


def _selected(tap: Tap | tuple[Tap, ...], indices: Indices) -> Any:
    """The wanted items of a tuple of taps; None in place of the others."""
    if indices is None or not isinstance(tap, tuple):
        return tap
    wanted = {index % len(tap) for index in indices if -len(tap) <= index < len(tap)}
    return tuple(item if index in wanted else None for index, item in enumerate(tap))


def _check_peers(network: nn.Module, name: str) -> None:
    """Refuse a signal of branches, where there are none, or of their moving average."""
    if name == "mean_peer_logits":
        raise UserError(
            f"A loss asks for {name!r}, and the student {describe(network)} keeps no moving "
            "average of branches: dict(type='AveragedMultiBranchClassifier', ...), with the "
            "options of MultiBranchClassifier, as in configs/methods/pcl.py."
        )
    if name.startswith("peer_") or name == "ensemble_logits":
        raise UserError(
            f"A loss asks for {name!r}, and the student {describe(network)} is one network: online "
            "distillation needs a student of several branches, "
            "dict(type='MultiBranchClassifier', ...), as in configs/digits/branches.py."
        )


def _check_kind(network: nn.Module, name: str) -> None:
    """Refuse a signal that only one kind of student has."""
    if name in _OF_ONE_KIND:
        raise UserError(
            f"A loss asks for {name!r}, and the student {describe(network)} {_OF_ONE_KIND[name]}"
        )


def _shape(value: Captured | None, signal: Signal) -> Any:
    if isinstance(value, tuple):
        return tuple(_shape(item, signal) for item in value)
    if value is None:
        return None
    return tuple(size for axis, size in enumerate(value.shape) if axis != signal.batch_axis)


def _as_tuple(tap: Tap | tuple[Tap, ...]) -> tuple[Tap, ...]:
    return tap if isinstance(tap, tuple) else (tap,)


def _kind(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
