"""Values whose gradient is changed."""

from __future__ import annotations

from torch import Tensor


def scale_gradient(value: Tensor, factor: float) -> Tensor:
    """The same value, with ``factor`` times its gradient; a negative one reverses it.

    >>> import torch
    >>> value = torch.tensor(3.0, requires_grad=True)
    >>> scale_gradient(value, -2.0).square().backward()
    >>> value.grad
    tensor(-12.)
    """
    return factor * value + (1 - factor) * value.detach()
