"""Feature maps: matching sizes and attention maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def match_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two maps (N, C, h, w) to the height and width of the smaller.

    >>> import torch
    >>> a, b = match_size(torch.ones(2, 3, 8, 8), torch.ones(2, 5, 4, 4))
    >>> a.shape, b.shape
    (torch.Size([2, 3, 4, 4]), torch.Size([2, 5, 4, 4]))
    """
    size = (min(a.shape[-2], b.shape[-2]), min(a.shape[-1], b.shape[-1]))
    return _pool(a, size), _pool(b, size)


def interpolate_map(feature: Tensor, size: Sequence[int]) -> Tensor:
    """A map (N, C, h, w) at another height and width: bilinear, anti-aliased where it shrinks.

    >>> import torch
    >>> interpolate_map(torch.ones(2, 3, 8, 8), (5, 5)).shape
    torch.Size([2, 3, 5, 5])
    """
    if tuple(feature.shape[-2:]) == tuple(size):
        return feature
    options = {"mode": "bilinear", "align_corners": False, "antialias": True}
    return F.interpolate(feature, tuple(size), **options)  # type: ignore[arg-type]


def match_resolution(feature: Tensor, target: Tensor) -> Tensor:
    """A map (N, C, h, w), bilinearly interpolated to the height and width of another one.

    >>> import torch
    >>> match_resolution(torch.ones(2, 3, 2, 2), torch.ones(2, 5, 7, 7)).shape
    torch.Size([2, 3, 7, 7])
    """
    size = target.shape[-2:]
    if feature.shape[-2:] == size:
        return feature
    return F.interpolate(feature, size=size, mode="bilinear", align_corners=False)


def hierarchical_context_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of two maps (N, C, h, w) and of their averages over coarser grids.

    The weights are 1 for the maps, and 1/2, 1/4, 1/8 in turn for those of 4x4, 2x2 and 1x1 that are
    coarser than the maps; they are divided by their sum.

    >>> import torch
    >>> a = torch.tensor([[[[3.0, -1.0], [1.0, 1.0]]]])
    >>> hierarchical_context_error(a, torch.zeros_like(a))  # (12 / 4 + 1 / 2) / (1 + 1 / 2)
    tensor(2.3333)
    """
    sizes = [side for side in (4, 2, 1) if side < a.shape[2]]
    errors = [F.mse_loss(a, b)]
    errors += [F.mse_loss(_pool(a, (side, side)), _pool(b, (side, side))) for side in sizes]
    weights = [0.5**level for level in range(len(errors))]
    weighted = [weight * error for weight, error in zip(weights, errors, strict=True)]
    return torch.stack(weighted).sum() / sum(weights)


def _pool(feature: Tensor, size: tuple[int, int]) -> Tensor:
    return feature if feature.shape[-2:] == size else F.adaptive_avg_pool2d(feature, size)


def direction_error(a: Tensor, b: Tensor) -> Tensor:
    """Squared difference of two maps (N, C, h, w) whose channels have unit length at each position.

    Sum over channels and positions, mean over the batch.

    >>> import torch
    >>> a = torch.tensor([[[[2.0]], [[0.0]]]])
    >>> direction_error(a, 5 * a), direction_error(a, -a)
    (tensor(0.), tensor(4.))
    """
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum() / len(a)


def without_mean(feature: Tensor) -> Tensor:
    """A map (N, C, h, w) without the mean of each channel over positions.

    >>> import torch
    >>> without_mean(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[-1.,  1.]]]])
    """
    return feature - feature.mean((2, 3), keepdim=True)


def attention_map(feature: Tensor, p: int = 2) -> Tensor:
    """Mean over channels of ``feature ** p``, flattened and L2-normalized: (N, C, h, w) -> (N, hw).

    >>> import torch
    >>> feature = torch.tensor([[[[3.0, 1.0]], [[3.0, 1.0]]]])  # (1, 2, 1, 2)
    >>> attention_map(feature, p=1)
    tensor([[0.9487, 0.3162]])
    """
    return F.normalize(feature.pow(p).mean(1).flatten(1), dim=1)


def classify_positions(classify: Callable[[Tensor], Tensor], feature: Tensor) -> Tensor:
    """Logits at each position of a map: (N, C, h, w) -> (N, K, h, w).

    Args:
        classify: Pooling and classifier, (M, C, 1, 1) -> (M, K).
        feature: (N, C, h, w).

    >>> import torch
    >>> feature = torch.arange(4.0).reshape(1, 2, 1, 2)
    >>> classify_positions(lambda cells: cells.mean((2, 3)).sum(1, keepdim=True), feature)
    tensor([[[[2., 4.]]]])
    """
    count, channels, height, width = feature.shape
    cells = feature.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)
    return classify(cells).unflatten(0, (count, height, width)).permute(0, 3, 1, 2)


def class_activation_map(classify: Callable[[Tensor], Tensor], feature: Tensor) -> Tensor:
    """:func:`classify_positions` without the classifier's bias, which is its value at 0.

    >>> import torch
    >>> feature = torch.tensor([[[[1.0, 3.0]]]])
    >>> class_activation_map(lambda cells: 2 * cells.mean((2, 3)) + 5, feature)
    tensor([[[[2., 6.]]]])
    """
    bias = classify_positions(classify, feature.new_zeros(1, feature.shape[1], 1, 1))
    return classify_positions(classify, feature) - bias
