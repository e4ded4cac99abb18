"""Class mass, groups of classes and their recall, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from cls_kd.errors import UserError
from cls_kd.evaluation.transfer_gap import (
    class_groups,
    class_mass,
    class_means,
    class_recall,
    effective_sample_size,
    group_means,
    imbalance_curve,
)

# Two samples: probabilities 1/2, 1/4, 1/4 and 1/10, 1/10, 8/10.
LOGITS = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]).log()


def test_mass_is_probability_summed_over_samples() -> None:
    assert class_mass(LOGITS).tolist() == pytest.approx([0.6, 0.35, 1.05])
    assert class_mass(LOGITS.double() + 100).tolist() == pytest.approx([0.6, 0.35, 1.05])


def test_mass_at_a_temperature() -> None:
    """Halved logits are square roots of probabilities."""
    rows = [[math.sqrt(p) for p in row] for row in [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]
    expected = [sum(row[c] / sum(row) for row in rows) for c in range(3)]
    assert class_mass(LOGITS, temperature=2.0).tolist() == pytest.approx(expected)
    assert class_mass(LOGITS, temperature=1e6).tolist() == pytest.approx([2 / 3] * 3, rel=1e-4)


def test_imbalance_curve_falls_and_has_mean_one() -> None:
    curve = imbalance_curve(class_mass(LOGITS))
    assert curve.tolist() == pytest.approx([3 * 1.05 / 2, 3 * 0.6 / 2, 3 * 0.35 / 2])
    assert imbalance_curve(torch.full((7,), 3.0)).tolist() == [1.0] * 7


def test_groups_are_from_head_to_tail_and_as_equal_as_possible() -> None:
    mass = torch.tensor([1.0, 5, 3, 4, 2, 9, 7, 8, 6, 10])
    groups = class_groups(mass, 4)
    assert [group.tolist() for group in groups] == [[9, 5, 7], [6, 8, 1], [3, 2], [4, 0]]
    assert [group.tolist() for group in class_groups(torch.ones(4), 2)] == [[0, 1], [2, 3]]
    assert [len(group) for group in class_groups(torch.rand(100), 4)] == [25] * 4


@pytest.mark.parametrize("groups", [0, 11])
def test_groups_that_cannot_be_are_refused(groups: int) -> None:
    with pytest.raises(UserError, match="10 classes"):
        class_groups(torch.ones(10), groups)


def test_recall_of_classes_and_their_groups() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    predictions = torch.tensor([0, 0, 0, 1, 1, 0, 1])
    recall = class_recall(predictions, labels, 4)
    assert recall[:3].tolist() == [0.75, 0.5, 0.0]
    assert recall[3].isnan(), "no sample, no recall"
    groups = [torch.tensor([0, 2]), torch.tensor([1, 3])]
    # The macro-average counts classes alike: (0.75 + 0) / 2, not 3 of 5 samples.
    assert group_means(recall, groups).tolist() == [0.375, 0.5]
    assert group_means(recall, [torch.tensor([3])]).isnan().all()


def test_means_of_classes() -> None:
    values, labels = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([2, 0, 2])
    means = class_means(values, labels, 3)
    assert means[[0, 2]].tolist() == [2.0, 3.5]
    assert means[1].isnan()


def test_effective_sample_size() -> None:
    assert effective_sample_size(torch.full((40,), 0.3)) == pytest.approx(40)
    assert effective_sample_size(torch.tensor([5.0, 0, 0, 0])) == pytest.approx(1)
    assert effective_sample_size(torch.tensor([1.0, 1, 2])) == pytest.approx(16 / 6)
    assert effective_sample_size(7 * torch.tensor([1.0, 1, 2])) == pytest.approx(16 / 6)
