"""Validation of the values that losses return: a scalar tensor, or a dict of scalar tensors."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from cls_kd.errors import UserError


def check_returned(name: str, value: Any) -> dict[str, Tensor]:
    """The terms of a loss by name; looks at types and shapes only, so that no device has to wait.

    Args:
        name: Of the loss, for messages.
        value: What its ``forward`` returned.

    Returns:
        ``{'loss': value}``, or the dict itself.

    Raises:
        UserError: Something is no scalar tensor, or no key of a dict holds 'loss'.
    """
    terms = value if isinstance(value, dict) else {"loss": value}
    for key, term in terms.items():
        what = f"The loss {name!r} returned " + (f"for {key!r} " if term is not value else "")
        if not isinstance(term, Tensor):
            raise UserError(
                f"{what}{term!r}, of the type {type(term).__name__}: it must return a scalar "
                "tensor that gradients go through, without .item() or float()."
            )
        if term.dim():
            raise UserError(
                f"{what}a tensor of shape {tuple(term.shape)}: it must return a scalar, such as "
                "the mean over the samples, loss.mean(); for classification losses of shape (N, K) "
                "it is loss.sum(dim=1).mean()."
            )
    if not any("loss" in key for key in terms):
        raise UserError(f"The loss {name!r} returned {', '.join(terms)}: no key holds 'loss'.")
    return terms
