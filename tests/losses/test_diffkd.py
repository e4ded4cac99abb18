"""DiffKD: the reference's values with its random draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from cls_kd.losses import DiffKDLogitLoss, DiffKDLoss
from cls_kd.modules.diffusion import Noise

from . import reference
from .reference import TOLERANCE, Reference, as_tensor, assert_close

PARTS = {
    "trans": "align",
    "ae.encoder": "encoder",
    "ae.decoder.0": "decoder",
    "model.pred": "denoiser.predictor",
    "noise_adapter.feat": "denoiser.adapter",
    "noise_adapter.feat.0.block": "denoiser.adapter.block",
    "noise_adapter.pred": "denoiser.fraction",
    "proj": "project",
}
# Of parameters: batch normalization leaves of some gradients a millionth, and rounding errors.
GRADIENT = {torch.float64: 1e-6, torch.float32: 2e-2}
Terms = tuple[torch.nn.Module, dict[str, Tensor]]


def of_maps(read: Reference, leaves: dict[str, Tensor], dtype: torch.dtype) -> Terms:
    loss = DiffKDLoss(autoencoder_channels=8)
    student, teacher = leaves["student_feature"], leaves["teacher_feature"]
    loss.build(reference.shapes({"student_feature": student, "teacher_feature": teacher}))
    write(loss, read, dtype)
    code = loss.encoder(teacher)
    return loss, loss.terms(loss.align(student), teacher, code, noise_of(leaves))


def of_logits(read: Reference, leaves: dict[str, Tensor], dtype: torch.dtype) -> Terms:
    loss = DiffKDLogitLoss()
    student, teacher = leaves["student_feature"], leaves["teacher_feature"]
    logits = {"student_logits": student.flatten(1), "teacher_logits": teacher.flatten(1)}
    loss.build(reference.shapes(logits))
    write(loss, read, dtype)
    return loss, loss.terms(loss.align(student), teacher, noise_of(leaves))


def noise_of(leaves: dict[str, Tensor]) -> Noise:
    return Noise(leaves["noise_student"], leaves["noise_teacher"], leaves["timesteps"])


def ours(name: str) -> str:
    """The adapter of vectors is written `feat.0`, `feat.1`, ...; that of maps `feat.0.block`."""
    return reference.renamed(name, PARTS)


def write(loss: torch.nn.Module, read: Reference, dtype: torch.dtype) -> None:
    entries = dict(loss.named_parameters())
    for name, array in read.group("param").items():
        if name == "time_embedding":
            embedding = loss.denoiser.time_embedding.weight
            embedding.data[read.meta["time_steps"]] = as_tensor(array, dtype)
        elif ours(name) in entries:
            entries[ours(name)].data.copy_(as_tensor(array, dtype))


@pytest.fixture
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """The noise schedule is rounded to the type that parameters have when they are made."""
    torch.set_default_dtype(dtype)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("name", "terms"), [("diffkd-1", of_maps), ("diffkd-2", of_logits)])
def test_value_and_gradients(name: str, terms: Callable[..., Terms], dtype: torch.dtype) -> None:
    read = reference.read(reference.FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)

    loss, values = terms(read, leaves, dtype)
    value = torch.stack(list(values.values())).sum()
    value.backward()

    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    parts = [key for key in ("distill", "diffusion", "autoencoder") if f"out.{key}" in read.arrays]
    for key, term in zip(parts, values.values(), strict=True):
        assert term.item() == pytest.approx(float(read.arrays[f"out.{key}"]), rel=TOLERANCE[dtype])
    gradient = leaves["student_feature"].grad
    assert_close(gradient, read.gradients["student_feature"], TOLERANCE[dtype], "student_feature")
    entries, seen = dict(loss.named_parameters()), {"denoiser.time_embedding.weight"}
    for key, expected in read.parameter_gradients.items():
        if key == "time_embedding":
            rows = entries["denoiser.time_embedding.weight"].grad[read.meta["time_steps"]]
            assert_close(rows, expected, GRADIENT[dtype], key)
        elif ours(key) not in entries:
            assert key.endswith("bias"), key
            assert abs(expected).max() < 1e-15, "a bias that batch normalization takes out"
        else:
            seen.add(ours(key))
            if abs(expected).max() > 1e-15:
                assert_close(entries[ours(key)].grad, expected, GRADIENT[dtype], key)
    assert seen == set(entries)


def test_draws_follow_the_generator() -> None:
    loss = DiffKDLogitLoss()
    logits = {"student_logits": torch.randn(4, 5), "teacher_logits": torch.randn(4, 5)}
    loss.build(reference.shapes(logits))
    values = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        values.append(sum(loss(**logits).values()).item())
    assert values[0] == values[1] != values[2]
