"""KD++: the reference's values with its class centers, and how ours are found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cls_kd.losses import DirectNormLoss
from cls_kd.modules import ClassMeans

from . import reference
from .fabricate import SIZES, fabricate
from .reference import TOLERANCE, assert_close

FILES = [reference.FOLDER / f"{name}.npz" for name in ("nd-1", "nd-2")]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_value_and_gradient_at_given_centers(file: Path, dtype: torch.dtype) -> None:
    read = reference.read(file)
    signals = read.leaves(dtype)
    loss = DirectNormLoss(**read.meta["args"])
    centers = signals.pop("class_centers")
    loss.build(reference.shapes({**signals, "student_logits": centers.t()}))
    loss.centers.means = centers
    loss.eval()  # the centers stay

    value = loss(**signals)
    value.backward()

    assert value.item() == pytest.approx(float(read.arrays["loss"]), rel=TOLERANCE[dtype])
    expected = read.gradients["student_embedding"]
    assert_close(signals["student_embedding"].grad, expected, TOLERANCE[dtype], "student_embedding")


def test_centers_are_the_teacher_s_means_of_all_batches() -> None:
    loss = DirectNormLoss()
    loss.build(SIZES.facts())
    batches = [fabricate(loss.signals, seed=seed) for seed in range(3)]
    for batch in batches:
        loss(**batch)
    embeddings = torch.cat([batch["teacher_embedding"] for batch in batches])
    labels = torch.cat([batch["labels"] for batch in batches])
    for label in range(SIZES.classes - 1):
        expected = embeddings[labels == label].mean(0)
        torch.testing.assert_close(loss.centers.means[label], expected)
    assert loss.centers.counts.tolist() == [3, 3, 3, 3, 0]
    assert loss.centers.means[SIZES.classes - 1].abs().sum() == 0, "no sample of this class yet"


def test_a_sample_of_a_new_class_is_its_own_center() -> None:
    loss = DirectNormLoss()
    loss.build(reference.shapes({"student_embedding": torch.ones(2, 8)} | _teacher()))
    value = loss(torch.ones(2, 8), **_teacher(), labels=torch.tensor([0, 1]))
    teacher = _teacher()["teacher_embedding"]
    cosine = F.cosine_similarity(torch.ones(2, 8), teacher)
    norm = torch.maximum(torch.ones(2, 8).norm(dim=1), teacher.norm(dim=1))
    assert value.item() == pytest.approx((1 - 8**0.5 * cosine / norm).mean().item())


def _teacher() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"teacher_embedding": torch.randn(2, 8, generator=generator)}


def test_means_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cls_kd.modules.class_means.gather", lambda mine: torch.cat([mine, mine]))
    means = ClassMeans(num_classes=2, dim=1)
    means.update(torch.tensor([[1.0], [3.0], [4.0]]), torch.tensor([0, 0, 1]))
    assert means.means.tolist() == [[2.0], [4.0]]
    assert means.counts.tolist() == [4, 2]
