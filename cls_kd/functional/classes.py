"""Target class, non-target classes and subsets of classes of logits or log-probabilities."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def split_target(values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Take the label's column out of each row.

    Args:
        values: Logits or log-probabilities, (N, K).
        labels: Hard labels, (N,).

    Returns:
        The values of the label, (N, 1), and those of the other classes in order, (N, K-1).

    >>> values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> split_target(values, torch.tensor([1, 2]))
    (tensor([[2.],
            [6.]]), tensor([[1., 3.],
            [4., 5.]]))
    """
    target = labels.unsqueeze(1)
    return values.gather(1, target), values.gather(1, non_target_indices(labels, values.shape[1]))


def non_target_indices(labels: Tensor, num_classes: int) -> Tensor:
    """Indices of all classes but the label, in order: (N,) -> (N, K-1).

    >>> non_target_indices(torch.tensor([1, 2]), 3)
    tensor([[0, 2],
            [0, 1]])
    """
    others = torch.arange(num_classes - 1, device=labels.device)
    return others + (others >= labels.unsqueeze(1))  # a boolean mask would wait for the device


def decouple(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of (label, all others), (N, 2), and those of the others, (N, K-1).

    >>> target, rest = decouple(torch.zeros(1, 4), torch.tensor([0]))
    >>> target.exp(), rest.exp()
    (tensor([[0.2500, 0.7500]]), tensor([[0.2500, 0.2500, 0.2500]]))
    """
    target, rest = split_target(F.log_softmax(logits, dim=1), labels)
    return torch.cat([target, rest.logsumexp(1, keepdim=True)], 1), rest


def exchange(logits: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Exchange two entries of each row of (N, K); ``first`` and ``second`` are classes, (N,).

    >>> exchange(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([2]), torch.tensor([0]))
    tensor([[3., 2., 1.]])
    """
    first, second = first.unsqueeze(1), second.unsqueeze(1)
    swapped = logits.scatter(1, first, logits.gather(1, second))
    return swapped.scatter(1, second, logits.gather(1, first))


def class_weights(classify: Callable[[Tensor], Tensor], feature: Tensor) -> Tensor:
    """Rows of a linear classifier, (K, C), from what it says of unit vectors less its bias.

    Args:
        classify: Pooling and linear classifier, (N, C, h, w) -> (N, K).
        feature: A map (N, C, h, w), for its number of channels, type and device.

    >>> weight, bias = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.ones(3)
    >>> class_weights(lambda f: F.linear(f.mean((2, 3)), weight, bias), torch.zeros(1, 2, 4, 4))
    tensor([[1., 2.],
            [3., 4.],
            [5., 6.]])
    """
    channels = feature.shape[1]
    units = torch.eye(channels, dtype=feature.dtype, device=feature.device)[:, :, None, None]
    return (classify(units) - classify(torch.zeros_like(units[:1]))).T
