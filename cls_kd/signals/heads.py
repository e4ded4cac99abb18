"""The end of a network: its logits, its classifier on a feature map, its criterion.

Rules for the networks of one library are registered by the library's adapter, for example
`cls_kd.adapters.mmpretrain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals.batch import Batch
from cls_kd.signals.feature_info import is_timm, timm_classify
from cls_kd.signals.rules import NetworkRule


def describe(network: nn.Module) -> str:
    """Class of a network, with its backbone's: ``ImageClassifier(ResNet)``."""
    inner = getattr(network, "backbone", None) or getattr(network, "model", None)
    name = type(network).__name__
    return f"{name}({type(inner).__name__})" if isinstance(inner, nn.Module) else name


def logits_of(output: Any) -> Any:
    """The logits in a network's output: a tensor, or what the output calls ``logits``.

    Transformers' models and torchvision's networks with auxiliary classifiers give such outputs.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        return output.get("logits", output)
    return getattr(output, "logits", output)


@NetworkRule
def has_classes(network: nn.Module) -> bool:
    """False of a network that gives an embedding where a classifier gives logits."""
    return getattr(network, "num_classes", None) != 0


@NetworkRule
def criterion_of(network: nn.Module, batch: Batch) -> Callable[[Tensor], Tensor]:
    """The loss of logits (N, K) against the labels of a batch: cross-entropy.

    Classifiers with a criterion of their own register a rule.
    """

    def cross_entropy(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits, batch.targets if batch.has_mixed_labels else batch.labels)

    return cross_entropy


@NetworkRule
def has_plain_criterion(network: nn.Module) -> bool:
    """Test for a network whose criterion of hard labels is the mean cross-entropy.

    Classifiers with a criterion of their own register a rule.
    """
    return True


@NetworkRule
def takes_labels_at_once(network: nn.Module) -> bool:
    """Test for a network whose criterion takes the labels of a batch as one tensor.

    Classifiers with a criterion of their own register a rule.
    """
    return True


def direct_criterion_of(network: nn.Module, batch: Batch) -> Callable[[Tensor], Tensor]:
    """As `criterion_of`; where it is plain and labels are hard, PyTorch's cross-entropy at once."""
    if batch.has_mixed_labels or not has_plain_criterion(network):
        return criterion_of(network, batch)
    return lambda logits: F.cross_entropy(logits, batch.labels)


@NetworkRule
def classify_with(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The part of a network after its last map: pooling and classifier, (N, C, h, w) -> (N, K).

    Raises:
        UserError: The network has no such part that is known.
    """
    if is_timm(network):
        return timm_classify(network)
    classify: Any = getattr(network, "classify", None) or getattr(network, "forward_head", None)
    if classify is not None:
        return classify
    raise UserError(
        f"{describe(network)} cannot classify a feature map on its own: give it a method "
        "`classify(feature) -> logits`."
    )
