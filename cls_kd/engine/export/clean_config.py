"""A config that mmpretrain reads alone: with its own names, and without what training needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmpretrain.apis import ModelHub
from mmpretrain.registry import TRANSFORMS as MMPRETRAIN_TRANSFORMS
from torch import nn

from cls_kd.registry import MODELS, TRANSFORMS

TIMM_PREFIX = "timm:"
# Packages that whoever has mmpretrain has as well.
_COMMON = ("torch", "torchvision", "mmengine", "mmcv", "mmpretrain", "timm")
_IN_TRAINING = ("train_cfg", "init_cfg", "pretrained")
# Arguments of mmpretrain's TimmClassifier; it hands all others on to timm.
_OF_TIMM_CLASSIFIER = ("type", "loss", "train_cfg", "with_cp", "data_preprocessor", "init_cfg")
_RESIZING = ("Resize", "ResizeEdge", "RandomResizedCrop", "EfficientNetCenterCrop", "CenterCrop")
# ITU-R BT.601 luma, for channels in BGR order.
_LUMA = (0.114, 0.587, 0.299)


def network_config(student: Mapping[str, Any] | str) -> dict[str, Any]:
    """A student's config as mmpretrain's API builds it: no names of ours, nothing for training."""
    if isinstance(student, str) and student.startswith(TIMM_PREFIX):
        name = student.removeprefix(TIMM_PREFIX)
        return {"type": "TimmClassifier", "model_name": name, "pretrained": False}
    config = ModelHub.get(student).config.model if isinstance(student, str) else student
    plain = Config({"model": config}).to_dict()["model"]
    return _deployed({key: value for key, value in plain.items() if key != "data_preprocessor"})


def timm_options(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments of ``timm.create_model`` for this network; None if it is not one of timm's."""
    if short_name(config["type"]) != "TimmClassifier":
        return None
    return {key: value for key, value in config.items() if key not in _OF_TIMM_CLASSIFIER}


def inference_pipeline(
    pipeline: Sequence[Mapping[str, Any]], shape: Sequence[int]
) -> list[dict[str, Any]]:
    """Test transforms for mmpretrain's inferencer, which loads the image itself.

    mmpretrain looks for ``LoadImageFromFile`` by its short name, so transforms that mmpretrain
    knows get theirs. Images that a data set holds in memory have the student's size already; an
    image of a user may have another one, and three channels, so that such a pipeline is extended
    (ours).

    Args:
        pipeline: Transforms of the test data.
        shape: Of one image, (C, H, W).
    """
    steps = [{**step, "type": _short_transform(step["type"])} for step in pipeline]
    names = {short_name(step["type"]) for step in steps}
    if not steps or "LoadImageFromFile" in names:
        return steps
    if not names & set(_RESIZING):
        steps.insert(0, {"type": "Resize", "scale": (shape[2], shape[1])})
    if shape[0] == 1:
        steps.insert(0, {"type": "RandomGrayscale", "prob": 1.0, "channel_weights": _LUMA})
    return steps


def short_name(kind: type | str) -> str:
    """``'Resize'`` of a class, a dotted name or a short one."""
    return kind.__name__ if isinstance(kind, type) else str(kind).rsplit(".", 1)[-1]


def foreign_modules(network: nn.Module) -> list[str]:
    """Modules outside of mmpretrain and what it needs that define parts of ``network``."""
    modules = {type(part).__module__ for part in network.modules()}
    return sorted(module for module in modules if not _is_common(module))


def foreign_transforms(pipeline: Sequence[Mapping[str, Any]]) -> list[str]:
    """Modules outside of mmpretrain that define transforms of ``pipeline``."""
    modules = {_transform_class(step["type"]).__module__ for step in pipeline}
    return sorted(module for module in modules if not _is_common(module))


def _deployed(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _deployed(item) for key, item in value.items() if key not in _IN_TRAINING}
        if isinstance(kept.get("type"), str):
            kept["type"] = _importable(kept["type"])
        return kept
    return [_deployed(item) for item in value] if isinstance(value, list | tuple) else value


def _importable(kind: str) -> str:
    """The dotted name of a class of ours or of a user's, which mmpretrain's registry has not."""
    try:
        model = MODELS.get(kind)
    except RuntimeError:  # not a model: an activation, a norm
        return kind
    module = getattr(model, "__module__", "torch")
    return kind if _is_common(module) else f"{module}.{model.__qualname__}"


def _short_transform(kind: type | str) -> str:
    transform, name = _transform_class(kind), short_name(kind)
    if MMPRETRAIN_TRANSFORMS.get(name) is transform:
        return name
    return f"{transform.__module__}.{transform.__qualname__}"


def _transform_class(kind: type | str) -> type:
    return kind if isinstance(kind, type) else TRANSFORMS.get(kind)


def _is_common(module: str) -> bool:
    return module.split(".")[0] in _COMMON
