"""Students without data, of several kinds, with a checkpoint of each."""

from __future__ import annotations

from pathlib import Path

import torch

from cls_kd.distillers.networks import build_network
from cls_kd.engine import load_config

STUDENTS = {
    "resnet": (
        "dict(type='mmpretrain.ImageClassifier',"
        " train_cfg=dict(augments=[dict(type='Mixup', alpha=0.2)]),"
        " backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4),"
        " neck=dict(type='GlobalAveragePooling'),"
        " head=dict(type='LinearClsHead', num_classes=4, in_channels=32))",
        (3, 16, 16),
    ),
    "timm": ("'timm:test_resnet'", (3, 64, 64)),
    "timm by config": (
        "dict(type='TimmClassifier', model_name='test_vit', num_classes=4, img_size=32)",
        (3, 32, 32),
    ),
    "name": ("'mobilenet-v2_8xb32_in1k'", (3, 32, 32)),
}
NORMALIZATION = (
    "data_preprocessor = dict(mean=[120.0, 110.0, 100.0], std=[60.0] * 3, to_rgb=True)\n"
)


def write_student(folder: Path, name: str) -> tuple[Path, Path, torch.nn.Module]:
    """A config without data, a checkpoint as a distiller's, and the network that it is of."""
    config = folder / "config.py"
    config.write_text(f"model = dict(student={STUDENTS[name][0]}, losses={{}})\n{NORMALIZATION}")
    return config, *write_checkpoint(config)


def write_checkpoint(config: Path) -> tuple[Path, torch.nn.Module]:
    """A checkpoint as a distiller's beside a config, of its student with random weights."""
    checkpoint = config.with_name("epoch_1.pth")
    torch.manual_seed(3)
    network = build_network(load_config(config).model.student)
    for part in network.modules():  # statistics unlike those of an untrained network
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    state = {f"student.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "meta": {"epoch": 1}}, checkpoint)
    return checkpoint, network.eval()
