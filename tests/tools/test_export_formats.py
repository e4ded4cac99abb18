"""tools/export_student.py: ONNX in half precision, in 8 bits, of any size; PyTorch's programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.engine import load_config
from cls_kd.engine.compat import forbid_unpickling
from tests.tools.conftest import Trained
from tests.tools.driver import PAIR, Outcome, call

NEW_FORMATS = ("onnx", "onnx-dynamic", "onnx-fp16", "onnx-int8", "torch-export")
VIT = (
    "dict(type='mmpretrain.ImageClassifier', backbone=dict(type='VisionTransformer', img_size=32,"
    " patch_size=16, arch=dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)),"
    " head=dict(type='VisionTransformerClsHead', num_classes=4, in_channels=16))"
)
WINDOWED = "dict(type='TimmClassifier', model_name='test_vit', img_size=32, dynamic_img_size=False)"


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The trained student of the digits in every format that is new here, and what was printed."""
    out = tmp_path_factory.mktemp("formats") / "out"
    outcome = call("export_student.py", PAIR, trained.student, out, "--formats", *NEW_FORMATS)
    return out, outcome.succeeded()


@pytest.fixture(scope="module")
def student(trained: Trained) -> torch.nn.Module:
    network = build_network(load_config(PAIR).model.student).eval()
    load_weights(network, str(trained.student))
    return network


def test_the_accuracy_is_that_of_the_test_tool(
    exported: tuple[Path, Outcome], trained: Trained, tmp_path: Path
) -> None:
    out, outcome = exported
    metrics = tmp_path / "metrics.json"
    call("test.py", PAIR, trained.student, "--out", metrics).succeeded()
    expected = float(metrics.read_text().split('"accuracy/top1": ')[1].split("\n")[0].strip(" ,}"))
    formats = json.loads((out / "student.json").read_text())["formats"]
    for name, least in (("onnx-fp16", 99.0), ("onnx-int8", 95.0)):
        measured = formats[name]["accuracy"]
        assert measured["before"] == pytest.approx(expected, abs=1e-3)
        assert (measured["split"], measured["images"]) == ("test", 439)
        assert measured["agreement"] >= least
        assert abs(measured["after"] - measured["before"]) <= 100 - measured["agreement"] + 1e-6
        assert 0 < measured["difference"] < float("inf")
        assert f"{name}: top-1 {expected:.2f} % in PyTorch" in " ".join(outcome.out.split())
    assert formats["onnx"]["accuracy"] is None
    for written in formats.values():
        for file, size in written["files"].items():
            assert (out / file).stat().st_size == size


def test_weights_are_stored_in_half_precision_and_in_8_bits(
    exported: tuple[Path, Outcome],
) -> None:
    kinds = {}
    for name in ("student.onnx", "student_fp16.onnx", "student_int8.onnx"):
        weights = [one for one in onnx.load(exported[0] / name).graph.initializer if one.dims]
        largest = max(weights, key=lambda weight: np.prod(weight.dims))
        kinds[name] = onnx.TensorProto.DataType.Name(largest.data_type)
    assert kinds == {
        "student.onnx": "FLOAT",
        "student_fp16.onnx": "FLOAT16",
        "student_int8.onnx": "INT8",
    }


def test_dynamic_onnx_takes_images_of_any_size(
    exported: tuple[Path, Outcome], student: torch.nn.Module
) -> None:
    session = onnxruntime.InferenceSession(exported[0] / "student_dynamic.onnx")
    for shape in ((1, 1, 8, 8), (3, 1, 20, 12), (2, 1, 9, 31)):
        inputs = torch.randn(shape)
        with torch.no_grad():
            expected = student(inputs).numpy()
        (logits,) = session.run(["logits"], {"inputs": inputs.numpy()})
        np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


def test_the_exported_program_gives_the_logits_for_any_batch(
    exported: tuple[Path, Outcome], student: torch.nn.Module
) -> None:
    about = {"student.json": ""}
    program = torch.export.load(exported[0] / "student.pt2", extra_files=about).module()
    inputs = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(program(inputs), student(inputs))
    assert json.loads(json.loads(about["student.json"])["mean"]) == [77.713]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (VIT, "makes no graph of ImageClassifier(VisionTransformer) that is right at other sizes"),
        (WINDOWED, "takes images of 32 x 32 only; at 64 x 32 PyTorch says: "),
    ],
)
def test_a_network_of_one_size_is_refused_where_any_size_is_asked_for(
    network: str, words: str, tmp_path: Path
) -> None:
    config, checkpoint = _without_data(network, tmp_path)
    options = ("--formats", "onnx-dynamic", "--input-shape", 3, 32, 32)
    outcome = call("export_student.py", config, checkpoint, tmp_path / "out", *options)
    outcome.refused("onnx-dynamic: ", words, "Use the format onnx, for this size.")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.py", "weights.pth"]


def test_8_bits_need_images_to_calibrate_with(tmp_path: Path) -> None:
    config, checkpoint = _without_data(VIT, tmp_path)
    options = ("--formats", "onnx-int8", "--input-shape", 3, 32, 32)
    outcome = call("export_student.py", config, checkpoint, tmp_path / "out", *options)
    outcome.refused("onnx-int8 needs training images to calibrate", "no train_dataloader")
    assert not (tmp_path / "out").exists()


def _without_data(network: str, folder: Path) -> tuple[Path, Path]:
    config, checkpoint = folder / "config.py", folder / "weights.pth"
    config.write_text(f"model = dict(student={network}, losses={{}})\n")
    weights = build_network(load_config(config).model.student).state_dict()
    torch.save({"state_dict": weights}, checkpoint)
    return config, checkpoint


@pytest.fixture(autouse=True)
def _own_files_are_weights_only() -> None:
    forbid_unpickling()
