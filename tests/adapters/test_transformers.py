"""Tokens and stages of Hugging Face's image classifiers are where the adapter says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cls_kd.signals import NetworkSource, find_taps

transformers = pytest.importorskip("transformers")

VIT: dict[str, Any] = dict(
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=32,
    image_size=32,
    patch_size=8,
    num_labels=7,
)
CONVOLUTIONAL: dict[str, Any] = dict(
    hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_labels=7
)
SWIN: dict[str, Any] = dict(
    image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], num_labels=7
)


def shapes_of(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Shapes of all that the adapter declares, as measured."""
    configuration = getattr(transformers, f"{kind.removesuffix('WithTeacher')}Config")(**options)
    suffix = "WithTeacher" if kind.endswith("WithTeacher") else ""
    name = f"{kind.removesuffix('WithTeacher')}ForImageClassification{suffix}"
    network = getattr(transformers, name)(configuration).eval()
    names = [f"teacher_{name}" for name in find_taps(network)] + ["teacher_logits"]
    shapes = NetworkSource("teacher", network, names).measure(torch.zeros(1, 3, 32, 32))
    return {name.removeprefix("teacher_"): shape for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("kind", "length"), [("ViT", 17), ("Beit", 17), ("DeiT", 18), ("DeiTWithTeacher", 18)]
)
def test_tokens_of_vision_transformers(kind: str, length: int) -> None:
    shapes = shapes_of(kind, VIT)
    assert shapes.pop("blocks") == ((length, 16),) * 3
    # Two classifiers, of a class token and of a distillation token, have no common embedding.
    assert shapes.pop("embedding", None) == (None if kind == "DeiTWithTeacher" else (16,))
    assert shapes == {
        "logits": (7,),
        "tokens": (length, 16),
        "normed_tokens": (length, 16),
        "patch_tokens": (16, 16),
        "block_maps": ((16, 4, 4),) * 3,
        "stages": ((16, 4, 4),) * 3,
        "feature": (16, 4, 4),
    }


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ResNet", {"embedding_size": 8, "layer_type": "basic"}),
        ("ConvNext", {}),
        ("RegNet", {"embedding_size": 8, "groups_width": 8}),
    ],
)
def test_stages_of_convolutional_networks(kind: str, options: dict[str, Any]) -> None:
    shapes = shapes_of(kind, {**CONVOLUTIONAL, **options})
    # Where blocks are not known, their maps are those of the stages.
    assert shapes.pop("block_maps") == shapes["stages"]
    assert shapes == {
        "logits": (7,),
        "stages": ((8, 8, 8), (16, 4, 4), (24, 2, 2), (32, 1, 1)),
        "feature": (32, 1, 1),
        "embedding": (32,),
    }


@pytest.mark.parametrize(
    ("kind", "options"),
    [("Swin", SWIN), ("MobileNetV2", {"depth_multiplier": 0.25, "num_labels": 7})],
)
def test_networks_of_other_forms_give_their_embedding(kind: str, options: dict[str, Any]) -> None:
    assert set(shapes_of(kind, options)) == {"logits", "embedding"}


def test_normed_tokens_lead_to_the_logits() -> None:
    torch.manual_seed(0)
    network = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)).eval()
    source = NetworkSource("student", network, ["student_normed_tokens", "student_logits"])
    with torch.no_grad():
        seen = source.run(torch.randn(2, 3, 32, 32))
        logits = network.classifier(seen["student_normed_tokens"][:, 0])
    torch.testing.assert_close(logits, seen["student_logits"])
