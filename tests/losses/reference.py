"""Values and gradients of the authors' public code, one ``.npz`` each, read for the tests.

A file holds ``meta`` (JSON: class, arguments, source), the inputs ``in.<signal>`` (``.0``, ``.1``,
... of a tuple), the ``loss``, and its gradients ``grad.<signal>`` (none where the output is a
constant). What gives a vector has its mean in ``loss``. Learned parts of the loss are
``param.<name>`` with ``grad_param.<name>`` or ``grad.param.<name>``, what it remembers is
``state.<name>``, and a network's linear classifier is ``aux.<network>_weight`` and ``_bias``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.losses import DistillLoss
from cls_kd.signals import SignalShapes

FOLDER = Path(__file__).parents[1] / "reference_values"
FILES = sorted(FOLDER.glob("*.npz"))
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}

Signals = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """One file: ``meta`` is its JSON, ``arrays`` everything else by name."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def group(self, name: str) -> dict[str, np.ndarray]:
        """The arrays ``<name>.*``, by the rest of their names."""
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): array
            for key, array in self.arrays.items()
            if key.startswith(prefix)
        }

    @cached_property
    def gradients(self) -> dict[str, np.ndarray]:
        """Gradients of the loss by its signals."""
        return {n: a for n, a in self.group("grad").items() if not n.startswith("param.")}

    @cached_property
    def parameter_gradients(self) -> dict[str, np.ndarray]:
        """Gradients of the loss by its learned parts."""
        return self.group("grad_param") | self.group("grad.param")

    def leaves(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The inputs as tensors, items of tuples apart; those with a gradient require one."""
        return {
            name: as_tensor(array, dtype).requires_grad_(name in self.gradients)
            for name, array in self.group("in").items()
        }

    def classifiers(
        self, dtype: torch.dtype, wanted: Iterable[str]
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """``student_classify``, ``teacher_classify``: global average pooling, then linear.

        Pooling alone where the file has no classifier: its features are logits then.
        """
        parts = {name: as_tensor(array, dtype) for name, array in self.group("aux").items()}
        networks = [name.partition("_")[0] for name in wanted if name.endswith("_classify")]
        return {f"{name}_classify": linear_classifier(parts, name) for name in networks}


def read(file: Path) -> Reference:
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    return Reference(json.loads(str(arrays.pop("meta"))), arrays)


def as_tensor(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    tensor = torch.tensor(array)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def as_signals(leaves: Mapping[str, Tensor]) -> Signals:
    """`student_stages.0`, `student_stages.1` become one tuple."""
    signals: Signals = {}
    for name in leaves:
        signal, dot, _ = name.partition(".")
        if dot:
            count = sum(other.startswith(f"{signal}.") for other in leaves)
            signals[signal] = tuple(leaves[f"{signal}.{index}"] for index in range(count))
        else:
            signals[signal] = leaves[signal]
    return signals


def linear_classifier(parts: Mapping[str, Tensor], network: str) -> Callable[[Tensor], Tensor]:
    if f"{network}_weight" not in parts:
        return lambda feature: feature.mean((2, 3))
    weight, bias = parts[f"{network}_weight"], parts[f"{network}_bias"]
    return lambda feature: F.linear(feature.mean((2, 3)), weight, bias)


def shapes(signals: Signals, num_samples: int = 20) -> SignalShapes:
    """The shapes that a distiller would measure on these signals."""
    measured = {
        name: tuple(tuple(item.shape[1:]) for item in value)
        if isinstance(value, tuple)
        else tuple(value.shape[1:])
        for name, value in signals.items()
        if isinstance(value, tuple) or (isinstance(value, Tensor) and value.ndim > 1)
    }
    logits = measured.get("student_logits", (5,))
    return SignalShapes(measured, num_classes=logits[-1], num_samples=num_samples)


def build(
    loss: DistillLoss, reference: Reference, signals: Signals, names: Mapping[str, str | None]
) -> dict[str, Tensor]:
    """Build a loss and write learned parts and memory into it.

    Where the reference has no learned parts, the loss is one without connectors.

    Args:
        loss: The loss, in training mode.
        reference: Holds ``param.*`` and ``state.*``.
        signals: What the loss will be called with.
        names: The reference's name of an entry, or the beginning of names, to ours; to None where
            the loss has no such entry.

    Returns:
        The learned parts, by the reference's names.
    """
    loss.build(shapes(signals))
    if not reference.group("param"):
        without_connectors(loss)
    loss.to(torch.float64)
    entries = dict(loss.named_parameters()) | dict(loss.named_buffers())
    written = reference.group("param") | reference.group("state")
    renames = {name: renamed(name, names) for name in written}
    ours = {name: entries[rename] for name, rename in renames.items() if rename is not None}
    for name, entry in ours.items():
        entry.data.copy_(torch.as_tensor(written[name]).view(entry.shape))
    return {name: ours[name] for name in reference.group("param") if name in ours}


def without_connectors(loss: DistillLoss) -> None:
    """Nothing in place of connectors: values without learned parts compare the maps themselves."""
    if getattr(loss, "connector", None) is not None:
        loss.connector = nn.Identity()
    if getattr(loss, "connectors", None) is not None:
        loss.connectors = nn.ModuleList(nn.Identity() for _ in loss.connectors)


def renamed(name: str, names: Mapping[str, str | None]) -> str | None:
    """The longest beginning that ``names`` knows is exchanged."""
    known = [start for start in names if name.startswith(start)]
    start = max(known, key=len, default="")
    replacement = names.get(start, "")
    return None if replacement is None else replacement + name.removeprefix(start)


def assert_close(actual: Tensor | None, expected: np.ndarray, tolerance: float, name: str) -> None:
    """Relative to the largest entry."""
    assert actual is not None, name
    error = np.abs(actual.detach().double().numpy().reshape(expected.shape) - expected).max()
    assert error <= tolerance * np.abs(expected).max(), f"{name}: {error}"


def assert_reproduced(
    result: Any,
    reference: Reference,
    leaves: Mapping[str, Tensor],
    dtype: torch.dtype,
    parameters: Mapping[str, Tensor] | None = None,
) -> None:
    """What a loss returned has the reference's value and gradients.

    Args:
        result: Not yet differentiated.
        reference: The file.
        leaves: Its inputs as tensors.
        dtype: Of the computation; decides the tolerance.
        parameters: Learned parts, by the reference's names. Default: none.
    """
    tolerance = TOLERANCE[dtype]
    value = sum(result.values()) if isinstance(result, dict) else result.mean()
    assert value.dtype == dtype
    expected = float(reference.arrays["loss"])
    assert abs(value.item() - expected) <= tolerance * abs(expected), (value.item(), expected)
    assert value.requires_grad == bool(reference.gradients)
    if reference.gradients:
        value.backward()
    for name, gradient in reference.gradients.items():
        assert_close(leaves[name].grad, gradient, tolerance, name)
    for name in (parameters or {}).keys() & reference.parameter_gradients.keys():
        assert_close(parameters[name].grad, reference.parameter_gradients[name], tolerance, name)
