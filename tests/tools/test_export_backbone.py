"""``cls-kd export --backbone``: the student's embedding, by timm and by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from timm.data import resolve_data_config

from cls_kd.distillers.foundation import FoundationTeacher
from cls_kd.engine import load_config
from cls_kd.engine.export import backbone_of, read_student
from cls_kd.signals import NetworkSource
from tests.tools.driver import call
from tests.tools.students import NORMALIZATION, STUDENTS, write_checkpoint, write_student

TIMM = {
    "ViT": "dict(type='TimmClassifier', model_name='test_vit', num_classes=4, img_size=32)",
    "ResNet": "'timm:test_resnet'",
    "ConvNeXt": "dict(type='TimmClassifier', model_name='test_convnext', num_classes=4)",
    "MobileNetV4": "dict(type='TimmClassifier', model_name='mobilenetv4_conv_small_035')",
}


@pytest.mark.parametrize("name", TIMM)
def test_timm_gives_the_same_features(name: str, tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(f"model = dict(student={TIMM[name]}, losses={{}})\n{NORMALIZATION}")
    checkpoint, network = write_checkpoint(config)
    formats = ("timm", "safetensors", *(["onnx"] if name == "ResNet" else []))
    out = tmp_path / "out"
    options = ("--backbone", "--formats", *formats, "--input-shape", 3, 32, 32)
    call("export_student.py", config, checkpoint, out, *options).succeeded()
    inputs = torch.randn(3, 3, 32, 32)
    source = NetworkSource("student", network, ["student_embedding"])
    with torch.no_grad():
        expected = source.run(inputs)["student_embedding"]
        folder = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        assert folder.num_classes == 0
        assert torch.allclose(folder(inputs), expected, atol=1e-5, rtol=1e-5)
        size = {"img_size": 32} if name == "ViT" else {}
        file = timm.create_model(
            network.model.pretrained_cfg["architecture"],
            num_classes=0,
            checkpoint_path=str(out / "student.safetensors"),
            **size,
        )
        assert torch.allclose(file.eval()(inputs), expected, atol=1e-5, rtol=1e-5)
    stated = resolve_data_config({}, model=folder)
    assert stated["input_size"] == (3, 32, 32)
    assert np.allclose(stated["mean"], [120 / 255, 110 / 255, 100 / 255])
    assert np.allclose(stated["std"], [60 / 255] * 3)
    page = (out / "student.md").read_text()
    assert "embedding = network(torch.from_numpy(inputs))" in page
    assert "logits = " not in page
    if "onnx" in formats:
        session = onnxruntime.InferenceSession(out / "student.onnx")
        seen = session.run(["embedding"], {"inputs": inputs.numpy()})[0]
        np.testing.assert_allclose(seen, expected, atol=1e-4, rtol=1e-4)
    if name == "ViT":
        taught = FoundationTeacher(f"local-dir:{out}")
        assert taught.input_size == (32, 32)
        assert torch.allclose(taught.network(inputs), expected, atol=1e-5, rtol=1e-5)


def test_a_backbone_of_mmpretrain(tmp_path: Path) -> None:
    """As ONNX or PyTorch's program; the other formats would build a classifier."""
    config, checkpoint, network = write_student(tmp_path, "resnet")
    shape = STUDENTS["resnet"][1]
    alone = backbone_of(read_student(load_config(config), str(checkpoint), shape))
    inputs = torch.randn(3, *shape)
    source = NetworkSource("student", network, ["student_embedding"])
    with torch.no_grad():
        assert torch.equal(alone.network(inputs), source.run(inputs)["student_embedding"])
    words = "--backbone is for --formats onnx onnx-dynamic torch-export."
    options = ("--input-shape", *shape)
    refused = call("export_student.py", config, checkpoint, tmp_path / "no", "--backbone", *options)
    refused.refused("cannot be written as timm", words)
    options = ("--formats", "timm", *options)
    other = call("export_student.py", config, checkpoint, tmp_path / "no", *options)
    other.refused("is no network of timm's, as dict(type=TimmClassifier")
    assert not (tmp_path / "no").exists()
