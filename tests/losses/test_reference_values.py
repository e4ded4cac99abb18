"""Values and gradients of the authors' public code, one .npz each; drop in a file to add a method.

A file holds `meta` (JSON: class, arguments, source), the inputs `in.<signal>` (`.0`, `.1`, ... of a
tuple), the `loss`, and its gradients `grad.<signal>` (none where the output is a constant). What
gives a vector has its mean in `loss`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cls_kd import losses
from cls_kd.modules import IPWDWeight

FILES = sorted((Path(__file__).parents[1] / "reference_values").glob("*.npz"))
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}


def as_tensor(array: np.ndarray, dtype: torch.dtype, needs_gradient: bool) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.to(dtype).requires_grad_(needs_gradient) if array.dtype == float else tensor


def as_signals(leaves: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | tuple]:
    """`student_stages.0`, `student_stages.1` become one tuple."""
    signals: dict[str, torch.Tensor | tuple] = {}
    for name in leaves:
        signal, dot, _ = name.partition(".")
        if dot:
            count = sum(other.startswith(f"{signal}.") for other in leaves)
            signals[signal] = tuple(leaves[f"{signal}.{place}"] for place in range(count))
        else:
            signals[signal] = leaves[signal]
    return signals


# Losses with learned parts, and the student's own, have no such numbers: where they are checked.
BY_HAND = {
    "CRDLoss": "test_crd.py",
    "CWTMLoss": "test_self_losses.py",
    "DKPPLoss": "test_self_losses.py",
    "DLBLoss": "test_self_losses.py",
    "EnsembleDistillationLoss": "test_online_losses.py",
    "EnsembleTaskLoss": "test_online_losses.py",
    "FitNetLoss": "test_feature_losses.py",
    "IPWDLoss": "test_ipwd.py",
    "IPWDSelfLoss": "test_ipwd.py",
    "LabelSmoothingLoss": "test_self_losses.py",
    "PSKDLoss": "test_self_losses.py",
    "PeerTaskLoss": "test_online_losses.py",
    "SRRLLoss": "test_feature_losses.py",
    "MGDLoss": "test_feature_losses.py",
    "TaskLoss": "test_logit_losses.py",
    "USKDLoss": "test_uskd.py",
    "USKDTokenLoss": "test_uskd.py",
    "ViTKDLoss": "test_vitkd.py",
    "ViewTaskLoss": "test_self_losses.py",
}


# Parts of losses with values of their own: constants, without a gradient.
PARTS = {"IPWDWeight"}
_KNOWN = {**losses.LOSSES, "IPWDWeight": IPWDWeight}


def test_every_loss_has_values_or_a_check_by_hand() -> None:
    with_values = {json.loads(str(np.load(file)["meta"]))["type"] for file in FILES} - PARTS
    assert with_values.isdisjoint(BY_HAND)
    assert with_values | set(BY_HAND) == set(losses.LOSSES)
    for name, file in BY_HAND.items():
        assert name in (Path(__file__).parent / file).read_text()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_value_and_gradients(file: Path, dtype: torch.dtype) -> None:
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"]))
    leaves = {
        name.removeprefix("in."): as_tensor(
            array, dtype, needs_gradient=name.replace("in.", "grad.", 1) in arrays
        )
        for name, array in arrays.items()
        if name.startswith("in.")
    }

    result = _KNOWN[meta["type"]](**meta["args"])(**as_signals(leaves))
    loss = sum(result.values()) if isinstance(result, dict) else result.mean()

    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(float(arrays["loss"]), rel=TOLERANCE[dtype])
    expected = {name: array for name, array in arrays.items() if name.startswith("grad.")}
    assert loss.requires_grad == bool(expected)
    if expected:
        loss.backward()
    for name, gradient in expected.items():
        actual = leaves[name.removeprefix("grad.")].grad
        assert actual is not None, name
        error = np.abs(actual.double().numpy() - gradient).max()
        assert error <= TOLERANCE[dtype] * np.abs(gradient).max(), name
