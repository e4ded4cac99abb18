"""Tiny networks, batches and distillers, for all tests that need one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from mmpretrain.models import (
    DistilledVisionTransformer,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    VisionTransformer,
    VisionTransformerClsHead,
)
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.distillers import Distiller
from cls_kd.models import (
    DigitsCNN,
    DistillationTokenHead,
    MultiBranchClassifier,
    NToOneClassifier,
    ProjectedBackbone,
)
from cls_kd.registry import MODELS

CLASSES = 10


class Plain(nn.Module):
    """A backbone without batch statistics: what it does to one image, no other image changes."""

    taps = {"stages": ("first", "second")}  # noqa: RUF012

    def __init__(self, channels: int = 6, in_channels: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (torch.tanh(self.second(torch.tanh(self.first(images)))),)


def classifier(backbone: Mapping[str, Any], width: int, classes: int = CLASSES) -> dict[str, Any]:
    return dict(
        type=ImageClassifier,
        backbone=backbone,
        neck=dict(type=GlobalAveragePooling),
        head=dict(type=LinearClsHead, num_classes=classes, in_channels=width),
    )


def digits_cnn(
    widths: Sequence[int] = (4, 4, 8), classes: int = CLASSES, **options: Any
) -> dict[str, Any]:
    return classifier(dict(type=DigitsCNN, widths=tuple(widths), **options), widths[-1], classes)


def plain(channels: int = 6) -> dict[str, Any]:
    return classifier(dict(type=Plain, channels=channels), channels)


def resnet_cifar(channels: int = 4, depth: int = 18) -> dict[str, Any]:
    """Four stages of ResNet_CIFAR; for images of three channels."""
    backbone = dict(type=ResNet_CIFAR, depth=depth, stem_channels=channels, base_channels=channels)
    return classifier(backbone, channels * 8)


def vit(width: int = 12, blocks: int = 2, classes: int = CLASSES) -> dict[str, Any]:
    """For images of three channels and 8x8 pixels: a class token and 16 patches."""
    arch = dict(embed_dims=width, num_layers=blocks, num_heads=2, feedforward_channels=2 * width)
    return dict(
        type=ImageClassifier,
        backbone=dict(type=VisionTransformer, arch=arch, img_size=8, patch_size=2),
        head=dict(type=VisionTransformerClsHead, num_classes=classes, in_channels=width),
    )


def distilled_vit(width: int = 12, blocks: int = 2, classes: int = CLASSES) -> dict[str, Any]:
    """The same with a distillation token."""
    network = vit(width, blocks, classes)
    backbone = {**network["backbone"], "type": DistilledVisionTransformer}
    return {
        **network,
        "backbone": backbone,
        "head": {**network["head"], "type": DistillationTokenHead, "init_cfg": None},
    }


def signals_of(losses: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Every signal that these losses ask for."""
    terms = build_terms(losses, build_loss).values()
    return {signal for term in terms for signal in term.loss.signals}


def wants_tokens(losses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these losses ask for what only a vision transformer has."""
    return any(
        signal.endswith(("_tokens", "_blocks", "_token_logits")) for signal in signals_of(losses)
    )


def wants_expansion(losses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these losses ask for what only NORM's student has."""
    return "student_expanded_feature" in signals_of(losses)


def expanded(network: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, Any]:
    """One of the classifiers here as NORM's student, for two of the teacher's maps."""
    channels = teacher["head"]["in_channels"]
    return {**network, "type": NToOneClassifier, "teacher_channels": channels, "n": 2}


def branches(network: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Three branches of one of the classifiers here, which part after the first stage."""
    first = "stage1" if network["backbone"]["type"] is DigitsCNN else "layer1"
    chosen = dict(cut_after=first, num_branches=3, fusion=dict(type="MeanFusion"))
    return {**network, **chosen, **options, "type": MultiBranchClassifier}


def wants_branches(losses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these losses ask for what only a student of several branches has."""
    return any(signal.startswith(("peer_", "ensemble_")) for signal in signals_of(losses))


def projected(network: Mapping[str, Any], width: int, **options: Any) -> dict[str, Any]:
    """The network with a projector to a teacher's width, and a head for it."""
    backbone = dict(type=ProjectedBackbone, backbone=network["backbone"], out_channels=width)
    return classifier({**backbone, **options}, width, network["head"]["num_classes"])


def wants_projector(losses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these losses ask for a student with a projector to its teacher's width."""
    return "student_projected" in signals_of(losses)


def wants_teachers(losses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these losses compare the student with each of several teachers."""
    return any(signal.startswith("all_teacher_") for signal in signals_of(losses))


def build(network: Mapping[str, Any]) -> ImageClassifier:
    """The network, initialized as a runner would."""
    built = MODELS.build(dict(network))
    built.init_weights()
    return built


def samples(labels: Sequence[int], first: int = 0) -> list[DataSample]:
    found = []
    for place, label in enumerate(labels):
        sample = DataSample().set_gt_label(int(label))
        sample.set_field(first + place, "sample_idx", field_type="metainfo")
        found.append(sample)
    return found


def soft(scores: Tensor) -> list[DataSample]:
    """Samples with label distributions, as a batch augmentation leaves them."""
    return [
        one.set_gt_score(score)
        for one, score in zip(samples(scores.argmax(1).tolist()), scores, strict=True)
    ]


def images(count: int = 4, channels: int = 1, seed: int = 0, size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, size, size, generator=generator)


def batch(
    count: int = 4, channels: int = 1, seed: int = 0, size: int = 8
) -> tuple[Tensor, list[DataSample]]:
    return images(count, channels, seed, size), samples([i * 3 % CLASSES for i in range(count)])


def data(count: int = 4, channels: int = 1, seed: int = 0, size: int = 8) -> dict[str, Any]:
    """As a data loader gives it: raw images 0-255, and samples."""
    inputs, data_samples = batch(count, channels, seed, size)
    raw = (inputs * 60 + 128).clamp(0, 255).to(torch.uint8)
    return {"inputs": list(raw), "data_samples": data_samples}


def paired(raw: Mapping[str, Any]) -> dict[str, Any]:
    """With other images beside, as ``ClassPairs`` gives them."""
    return {**raw, "pair_inputs": raw["inputs"][::-1]}


def viewed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """With three further views beside, as ``Views`` gives them."""
    views = [torch.stack([one, one.flip(-1), one.flip(-2)]) for one in raw["inputs"]]
    return {**raw, "view_inputs": views}


def teacher(**options: Any) -> dict[str, Any]:
    return {"network": digits_cnn(widths=(6, 6, 12)), "weights": "random", **options}


def distiller(
    losses: Mapping[str, Any],
    *,
    student: Mapping[str, Any] | None = None,
    teacher: Any = None,
    channels: int = 1,
    size: int = 8,
    seed: int = 0,
    **options: Any,
) -> Distiller:
    torch.manual_seed(seed)
    options = {"input_shape": (channels, size, size), "num_samples": 40, **options}
    built = Distiller(student or digits_cnn(), losses, teacher, **options)
    built.init_weights()
    return built


def step(model: Distiller, raw: Mapping[str, Any], lr: float = 0.05) -> dict[str, Tensor]:
    """One real step of SGD; the gradients are left to look at."""
    wrapper = keeping_gradients(OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr)))
    model.zero_grad()
    model.train()
    return model.train_step(raw, wrapper)


def keeping_gradients(wrapper: OptimWrapper) -> OptimWrapper:
    wrapper.zero_grad = lambda **_: None
    return wrapper


def distribution(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.softmax(3 * torch.randn(count, CLASSES, generator=generator), dim=1)
