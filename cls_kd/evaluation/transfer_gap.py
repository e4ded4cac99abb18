"""The transfer gap: class imbalance of a teacher's probability mass (Niu et al., 2210.12787).

The mass of a class is the sum of the teacher's probabilities for it over all training images.
Classes are ranked by mass and cut into groups, head to tail; a network's gain is measured group by
group.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError


def class_mass(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Probability that each class is given over all samples, in samples: (N, K) -> (K,), sum N.

    It is the mean probability times the number of samples.
    """
    return F.softmax(logits.double() / temperature, dim=1).sum(0)


def class_groups(mass: Tensor, groups: int) -> list[Tensor]:
    """Classes from the largest mass (K,) to the smallest, cut into ``groups`` parts.

    The parts are as equal as possible, larger ones first; of equal masses the lower class is first.

    Raises:
        UserError: There are fewer classes than groups.
    """
    if not 1 <= groups <= len(mass):
        raise UserError(f"{len(mass)} classes cannot be cut into {groups} groups.")
    return list(mass.sort(descending=True, stable=True).indices.tensor_split(groups))


def imbalance_curve(mass: Tensor) -> Tensor:
    """Masses from head to tail, divided by their mean: all ones where the domain is balanced."""
    return mass.sort(descending=True).values / mass.mean()


def class_recall(predictions: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Fraction of each class's samples predicted right, (K,); NaN for a class without samples."""
    right = labels[predictions == labels].bincount(minlength=num_classes)
    return right.double() / labels.bincount(minlength=num_classes)


def group_means(values: Tensor, groups: Sequence[Tensor]) -> Tensor:
    """Mean over the classes of each group of values (K,): (G,). Missing values (NaN) are left out.

    Of recalls this is the macro-averaged recall.
    """
    return torch.stack([values[group].nanmean() for group in groups])


def class_means(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Mean of the samples' values (N,) in each class, (K,); NaN for a class without samples."""
    sums = torch.zeros(num_classes, dtype=torch.float64).index_add(0, labels, values.double())
    return sums / labels.bincount(minlength=num_classes)


def effective_sample_size(weights: Tensor) -> float:
    """``(sum w)^2 / sum w^2`` of weights (N,): N for equal ones, 1 for a single nonzero one."""
    weights = weights.double()
    return float(weights.sum() ** 2 / weights.square().sum())
