"""Any signal of the vocabulary, made up: small, seeded, with gradients to look for."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.signals.forward_from import Continued
from cls_kd.signals.shapes import SignalShapes
from cls_kd.signals.vocabulary import CALLABLES, VOCABULARY


@dataclass(frozen=True)
class Sizes:
    """Student and teacher differ wherever they may."""

    batch: int = 4
    classes: int = 5
    samples: int = 20
    peers: int = 3
    views: int = 2
    stages: dict[str, tuple[tuple[int, int, int], ...]] = field(
        default_factory=lambda: {
            "student": ((3, 8, 8), (4, 4, 4), (6, 4, 4)),
            "teacher": ((5, 8, 8), (7, 8, 8), (8, 4, 4)),
        }
    )
    tokens: dict[str, tuple[int, int, int]] = field(  # blocks, L, D
        default_factory=lambda: {"student": (2, 5, 6), "teacher": (3, 5, 8)}
    )

    def of(self, signal: str) -> tuple:
        """Shape of a network's tensor signal without the batch axis."""
        if signal == "pair_logits":
            return (self.classes,)
        width = self.stages["student"][-1][0]
        of_branches = {
            "peer_logits": (self.peers, self.classes),
            "peer_embeddings": (self.peers, width),
            "mean_peer_logits": (self.peers, self.classes),
            "view_logits": (self.views, self.classes),
            "view_embeddings": (self.views, width),
            "view_stages": tuple((self.views, *shape) for shape in self.stages["student"]),
            "teacher_view_stages": tuple((self.views, *shape) for shape in self.stages["teacher"]),
            "teacher_view_logits": (self.views, self.classes),
            "teacher_view_embeddings": (self.views, self.stages["teacher"][-1][0]),
            "peer_targets": (self.peers, self.classes),
            "peer_classifiers": (self.peers, self.classes, width),
            "ensemble_logits": (self.classes,),
            "all_teacher_logits": (self.peers, self.classes),
            "all_teacher_embeddings": tuple(shape[:1] for shape in self.stages["teacher"]),
            "all_teacher_features": self.stages["teacher"],
            "student_class_token_logits": (self.classes,),
            "student_distillation_token_logits": (self.classes,),
            "student_expanded_feature": _twice(self.stages["teacher"][-1]),
        }
        if signal in of_branches:
            return of_branches[signal]
        if signal == "student_projected":
            return self.stages["teacher"][-1]
        role, _, name = signal.partition("_")
        stages = self.stages[role]
        blocks, length, width = self.tokens[role]
        return {
            "logits": (self.classes,),
            "embedding": stages[-1][:1],
            "feature": stages[-1],
            "stages": stages,
            "preacts": stages,
            "block_maps": stages,
            "preact_norms": tuple((2, channels) for channels, _, _ in stages),
            "tokens": (length, width),
            "normed_tokens": (length, width),
            "patch_tokens": (length - 1, width),
            "blocks": ((length, width),) * blocks,
        }[name]

    def facts(self) -> SignalShapes:
        """What the distiller would have measured."""
        names = [n for n, s in VOCABULARY.items() if s.provider in ("student", "teacher")]
        shapes = {name: self.of(name) for name in names if name not in CALLABLES}
        return SignalShapes(shapes, num_classes=self.classes, num_samples=self.samples)


def _twice(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    return (2 * shape[0], *shape[1:])


SIZES = Sizes()


def fabricate(
    names: Iterable[str], sizes: Sizes = SIZES, seed: int = 0, scale: float = 1.0
) -> dict[str, Any]:
    """Signals by name; tensors of both networks are leaves that require gradients.

    A signal depends on ``seed`` and its own name only, so asking for one more changes no other.
    ``scale`` multiplies tensors of the networks.
    """
    return {name: _one(name, sizes, seed, scale) for name in names}


def leaves(signals: dict[str, Any], role: str) -> dict[str, Tensor]:
    """The tensors among the signals of ``role`` ('student' or 'teacher'), tuples flattened."""
    found: dict[str, Tensor] = {}
    prefixes = {
        "student": ("student_", "peer_", "ensemble_", "view_"),
        "teacher": ("teacher_", "all_teacher_"),
    }[role]
    for name, value in signals.items():
        if name.startswith(prefixes) and name not in CALLABLES:
            items = value if isinstance(value, tuple) else (value,)
            found |= {f"{name}.{place}": item for place, item in enumerate(items)}
    return found


def _one(name: str, sizes: Sizes, seed: int, scale: float) -> Any:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {seed}".encode()))

    def normal(*shape: int) -> Tensor:
        return torch.randn(sizes.batch, *shape, generator=generator)

    if name in CALLABLES:
        return _callable(name, sizes, seed, generator)
    if VOCABULARY[name].provider in ("student", "teacher"):
        shape = sizes.of(name)
        many = isinstance(shape[0], tuple)
        axis = VOCABULARY[name].batch_axis

        def leaf(one: tuple[int, ...]) -> Tensor:
            whole = one if axis is None else (*one[:axis], sizes.batch, *one[axis:])
            return (torch.randn(whole, generator=generator) * scale).requires_grad_()

        values = tuple(leaf(one) for one in (shape if many else (shape,)))
        return values if many else values[0]
    labels = torch.arange(sizes.batch) % sizes.classes
    return {
        "inputs": normal(3, 8, 8),
        "labels": labels,
        "targets": F.one_hot(labels, sizes.classes).float(),
        "index": torch.arange(sizes.batch) * 3 % sizes.samples,
        "pair_inputs": normal(3, 8, 8),
        "view_inputs": normal(sizes.views, 3, 8, 8).transpose(0, 1),
        "permutation": torch.arange(sizes.batch).roll(1),
        "mix": 0.3,
        "epoch": 3,
        "max_epochs": 10,
        "progress": 0.25,
    }[name]


def _callable(name: str, sizes: Sizes, seed: int, generator: torch.Generator) -> Any:
    if name == "all_teacher_classify":
        widths = [shape[0] for shape in sizes.of("all_teacher_features")]
        weights = [torch.randn(sizes.classes, width, generator=generator) for width in widths]
        return tuple(_classifier(weight) for weight in weights)
    role, _, what = name.partition("_")
    if what == "forward_from":
        return _forward_from(sizes.stages[role], sizes.classes, generator)
    if what == "criterion":
        labels = _one("labels", sizes, seed, 1.0)
        return lambda logits: F.cross_entropy(logits, labels.to(logits.device))
    channels = sizes.of(f"{role}_feature")[0] if what == "classify" else 3
    return _classifier(torch.randn(sizes.classes, channels, generator=generator))


def _classifier(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda images: F.linear(images.mean((2, 3)), weight.to(images))


def _forward_from(
    stages: tuple[tuple[int, int, int], ...], classes: int, generator: torch.Generator
) -> Callable[..., Any]:
    """Later maps and logits are linear in the means of the given map; the last map is a stage."""
    widths = [shape[0] for shape in stages]
    mixing = {
        (before, after): torch.randn(widths[after], widths[before], generator=generator)
        for before in range(len(stages))
        for after in range(before + 1, len(stages))
    }
    heads = [torch.randn(classes, width, generator=generator) for width in widths]

    def run(stage: int, feature: Tensor) -> Continued:
        means = feature.mean((2, 3))
        maps = tuple(
            F.linear(means, mixing[stage, index].to(means))[:, :, None, None].expand(
                -1, *stages[index]
            )
            if index > stage
            else None
            for index in range(len(stages))
        )
        last = feature if maps[-1] is None else maps[-1]
        return Continued(maps, last, F.linear(means, heads[stage].to(means)))

    return run
