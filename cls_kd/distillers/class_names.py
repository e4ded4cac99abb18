"""Class names of a network that are known without being given."""

from __future__ import annotations

from typing import Any

from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from mmpretrain.models import TimmClassifier
from torch import nn

from cls_kd.adapters.internals import dataset_meta
from cls_kd.core.class_names import Names, imagenet_info


def known_names(network: nn.Module, *, published: bool) -> Names | None:
    """Class names that are known from a network's checkpoint or weights.

    The names that its checkpoint holds (mmpretrain's ``dataset_meta``, kept by ``load_weights``),
    those of the data set that a model of mmpretrain's hub was trained on, or the ImageNet classes
    of weights that timm publishes.

    Args:
        network: With its weights.
        published: Whether the weights are those published under the network's name.
    """
    names = dataset_meta(network).get("classes")
    if names:
        return tuple(str(name) for name in names)
    if published and isinstance(network, TimmClassifier):
        return _timm_names(network.model)
    return None


def _timm_names(model: Any) -> Names | None:
    config = model.pretrained_cfg
    if config.get("num_classes") != model.num_classes:
        return None  # the classifier is new, for other classes
    from timm.data import infer_imagenet_subset

    subset = infer_imagenet_subset(config)
    if subset is None:
        return None
    if model.num_classes == len(IMAGENET_CATEGORIES):
        return tuple(IMAGENET_CATEGORIES)
    return tuple(imagenet_info(subset).label_names())
