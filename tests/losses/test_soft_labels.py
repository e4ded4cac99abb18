"""Soft labels that a network makes for itself: by ranks (Zipf) and by the last epoch (OLS)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses import OnlineLabelSmoothingLoss, ZipfLoss

from . import reference
from .reference import FOLDER, TOLERANCE, assert_close, assert_reproduced

every_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
every_case = pytest.mark.parametrize("case", [1, 2])
OLS = {
    "soft_labels": "predictions.soft_labels",
    "sum": "predictions.sums",
    "count": "predictions.counts",
}


def flat(feature: Tensor) -> Tensor:
    """A classifier for which the channels are the classes."""
    return feature.mean((2, 3))


@every_type
@every_case
def test_zipf(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"zipf-{case}.npz")
    leaves = read.leaves(dtype)
    logits, labels = leaves["student_logits"], leaves["labels"]
    feature = torch.zeros(len(labels), logits.shape[1], 1, 1, dtype=dtype)
    if "votes" in leaves:  # (N, positions): the class that each position votes for
        feature = F.one_hot(leaves["votes"], logits.shape[1]).to(dtype).transpose(1, 2)[..., None]
    value = ZipfLoss(**read.meta["args"])(logits, labels, feature, flat)
    assert_reproduced(value, read, leaves, dtype)


def test_zipf_of_correct_samples_only() -> None:
    logits = torch.tensor([[3.0, 0.0, 1.0], [0.0, 3.0, 1.0], [3.0, 2.0, 1.0]])
    labels, feature = torch.tensor([0, 0, 0]), torch.randn(3, 3, 2, 2)
    every = ZipfLoss(only_correct=True)(logits, labels, feature, flat)
    right = torch.tensor([0, 2])
    chosen = ZipfLoss()(logits[right], labels[right], feature[right], flat)
    torch.testing.assert_close(every, chosen)
    none = ZipfLoss(only_correct=True)(logits[1:2], labels[1:2], feature[1:2], flat)
    assert none == 0


@every_type
@every_case
def test_ols(case: int, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"ols-{case}.npz")
    leaves = read.leaves(dtype)
    loss = OnlineLabelSmoothingLoss()
    reference.build(loss, read, leaves, OLS)
    value = loss.to(dtype)(**leaves, epoch=0)
    assert_reproduced(value, read, leaves, dtype)
    predictions, tolerance = loss.predictions, TOLERANCE[dtype]
    assert_close(predictions.sums, read.arrays["out.sum"], tolerance, "sum")
    assert_close(predictions.counts, read.arrays["out.count"], tolerance, "count")
    predictions.begin(1)
    expected = read.arrays["out.next_soft_labels"]
    assert_close(predictions.soft_labels, expected, tolerance, "next")
    assert predictions.sums.abs().sum() == predictions.counts.sum() == 0


def test_ols_by_hand_over_three_epochs() -> None:
    torch.manual_seed(0)
    loss = OnlineLabelSmoothingLoss()
    labels = torch.tensor([0, 0, 1, 2])
    batches = [torch.randn(4, 3) for _ in range(6)]
    loss.build(reference.shapes(dict(student_logits=batches[0])))
    soft = torch.full((3, 3), 1 / 3)
    for epoch in range(3):
        rows: dict[int, list[Tensor]] = {}
        for logits in batches[2 * epoch : 2 * epoch + 2]:
            value = loss(logits, labels, epoch)
            expected = F.cross_entropy(logits, soft[labels])
            torch.testing.assert_close(value, expected)
            for scores, label in zip(logits.softmax(1), labels.tolist(), strict=True):
                if int(scores.argmax()) == label:
                    rows.setdefault(label, []).append(scores)
        soft = torch.full((3, 3), 1 / 3)
        for label, seen in rows.items():
            soft[label] = torch.stack(seen).mean(0)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.eval()(batches[0], labels, 3)
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
