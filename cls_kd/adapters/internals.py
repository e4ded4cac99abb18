"""Private attributes of mmpretrain's networks that other modules need, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.optim import OptimWrapper
from mmpretrain.models import ClsHead, TimmClassifier
from torch import Tensor, nn


def has_criterion(owner: object) -> bool:
    """Test for a head or a classifier with a loss of logits."""
    return hasattr(owner, "_get_loss")


def criterion_loss(owner: Any, logits: Tensor, samples: Any) -> Tensor:
    """The loss of logits by a head or a classifier's own criterion."""
    return owner._get_loss(logits, samples)["loss"]


def concatenates_labels(owner: object) -> bool:
    """Test for a criterion that only concatenates the labels of its samples."""
    method = getattr(type(owner), "_get_loss", None)
    return method in (ClsHead._get_loss, TimmClassifier._get_loss)


def normalizes(preprocessor: object) -> bool:
    """Test for a data preprocessor that normalizes images."""
    return bool(getattr(preprocessor, "_enable_normalize", False))


def dataset_meta(network: nn.Module) -> dict[str, Any]:
    """Facts of the data set that a network was trained on, as mmpretrain keeps them."""
    return getattr(network, "_dataset_meta", None) or {}


def set_dataset_meta(network: Any, meta: dict[str, Any]) -> None:
    """Keep facts of the data set with a network."""
    network._dataset_meta = meta


def is_initialized(network: Any) -> bool:
    """Test for a network that MMEngine would not initialize again."""
    return bool(network._is_init)


def mark_initialized(network: Any) -> None:
    """Keep MMEngine from initializing a network again, which would wipe out its weights."""
    network._is_init = True


def add_first_state_dict_hook(network: Any, hook: Callable[..., None]) -> None:
    """Register a hook of ``state_dict`` that runs before all others."""
    handle = network._register_state_dict_hook(hook)
    network._state_dict_hooks.move_to_end(handle.id, last=False)


def is_plain(wrapper: OptimWrapper) -> bool:
    """Test for MMEngine's own wrapper, which updates in every step and casts nothing."""
    return type(wrapper) is OptimWrapper and not accumulates(wrapper)


def accumulates(wrapper: OptimWrapper) -> bool:
    """Test for an optimizer wrapper that does not update in every step."""
    return wrapper._accumulative_counts != 1


def scales_losses(wrapper: Any) -> bool:
    """Test for a wrapper for float16, which looks at the gradients of each step."""
    scaler = getattr(wrapper, "loss_scaler", None)
    return scaler is not None and bool(scaler._enabled)


def count_writes(tensor: Tensor) -> int:
    """Number of operations that have written to a tensor in place."""
    return tensor._version
