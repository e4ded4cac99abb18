"""What tools/export_student.py writes works where cls_kd is not: mmpretrain, timm, ONNX Runtime."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpretrain import ImageClassificationInferencer
from PIL import Image

from cls_kd.engine import load_config
from cls_kd.engine.compat import forbid_unpickling
from cls_kd.engine.export.facts import channel_order
from cls_kd.engine.loaders import build_dataset
from cls_kd.registry import MODELS
from tests.tools.conftest import Trained
from tests.tools.driver import PAIR, call, spawn
from tests.tools.students import STUDENTS, write_checkpoint, write_student

CLASSES = ["ant", "bee", "cat", "dog"]
IMAGE_FOLDER = """
from mmengine.config import read_base
from mmpretrain.models import TimmClassifier

with read_base():
    from cls_kd.configs._base_.datasets.image_folder import *

for loader in (train_dataloader, val_dataloader):
    loader["dataset"]["data_root"], loader["num_workers"] = {root!r}, 0
train_dataloader["dataset"]["pipeline"][1]["scale"] = 32
val_dataloader["dataset"]["pipeline"][1]["scale"] = 36
val_dataloader["dataset"]["pipeline"][2]["crop_size"] = 32
model = dict(
    student=dict(type=TimmClassifier, model_name="test_resnet", num_classes=4), losses=dict()
)
"""

# Loads each folder's export as a stranger to this project would, and writes the logits beside it.
# Then follows the page of the folder that has an image, in that folder.
STRANGER = """
import os, pathlib, re, sys
sys.modules["cls_kd"] = None
import cv2, mmpretrain, numpy, torch
for folder in map(pathlib.Path, sys.argv[2:]):
    config, weights = folder / "student_config.py", folder / "student.pth"
    network = mmpretrain.get_model(str(config), pretrained=str(weights))
    with torch.no_grad():
        torch.save(network(torch.load(folder / "inputs.pth")), folder / "logits.pth")
os.chdir(sys.argv[1])
prepare, *snippets, answer = re.findall("```python\\n(.*?)```", open("student.md").read(), re.S)
results = {}
for code in snippets:
    names = {}
    exec(prepare + code + (answer if "logits" in code else ""), names)
    if "logits" in names:
        last = re.search("student\\\\.[a-z0-9]+", code)[0]
        results[last] = torch.from_numpy(names["logits"])
    else:
        results["file"] = torch.from_numpy(names["prediction"]["pred_scores"])
        array = names["inferencer"](cv2.imread("image.png"))[0]
        results["array"] = torch.from_numpy(array["pred_scores"])
        results["class"] = array["pred_class"]
torch.save(results, "results.pth")
assert not [name for name in sys.modules if name.startswith("cls_kd.")]
"""
# ONNX Runtime with nothing but NumPy and Pillow beside it.
BARE = """
import re, sys
for name in ("cls_kd", "torch", "mmpretrain", "mmengine", "timm"):
    sys.modules[name] = None
prepare, *snippets, answer = re.findall("```python\\n(.*?)```", open("student.md").read(), re.S)
(code,) = [code for code in snippets if "onnxruntime" in code]
exec(prepare + code + answer)
"""


@pytest.fixture(scope="module")
def folder_export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.Tensor]:
    """An exported student of images in folders, and its logits for ``image.png``."""
    base = tmp_path_factory.mktemp("folders")
    draw = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in CLASSES:
            place = base / "data" / split / name
            place.mkdir(parents=True)
            pixels = draw.integers(0, 256, (5, 7, 3), dtype=np.uint8)
            large = Image.fromarray(pixels).resize((57, 43), Image.Resampling.BICUBIC)
            large.save(place / "0.png")
    config = base / "config.py"
    config.write_text(IMAGE_FOLDER.format(root=str(base / "data")))
    checkpoint, network = write_checkpoint(config)
    formats = ("mmpretrain", "safetensors", "onnx", "torch-export")
    outcome = call("export_student.py", config, checkpoint, base / "out", "--formats", *formats)
    assert "rgb, normalized" in outcome.succeeded().out
    cfg = load_config(config)
    sample = build_dataset(cfg.val_dataloader.dataset)[0]
    preprocessor = MODELS.build(dict(cfg.data_preprocessor))
    batch = {"inputs": sample["inputs"][None], "data_samples": [sample["data_samples"]]}
    with torch.no_grad():
        logits = network(preprocessor(batch)["inputs"])
    (base / "data/val/ant/0.png").rename(base / "out" / "image.png")
    return base / "out", logits


def test_a_stranger_loads_it(folder_export: tuple[Path, torch.Tensor], tmp_path: Path) -> None:
    networks = {}
    for name, (_, shape) in STUDENTS.items():
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        config, checkpoint, networks[folder / "out"] = write_student(folder, name)
        options = ("--formats", "mmpretrain", "safetensors", "--input-shape", *shape)
        outcome = call("export_student.py", config, checkpoint, folder / "out", *options)
        assert "rgb, normalized" in outcome.succeeded().out
        assert "mean [120.0, 110.0, 100.0], std [60.0, 60.0, 60.0]" in outcome.out
        torch.save(torch.randn(2, *shape), folder / "out" / "inputs.pth")
        assert "augments" not in (folder / "out" / "student_config.py").read_text()
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    out, expected = folder_export
    outcome = spawn("python", script, out, *networks, PYTHONPATH=os.devnull).succeeded()
    for folder, network in networks.items():
        with torch.no_grad():
            own = network(torch.load(folder / "inputs.pth"))
        assert torch.equal(torch.load(folder / "logits.pth"), own), folder
    results = torch.load(out / "results.pth")
    assert set(results) - {"file", "array", "class"} == {
        "student.safetensors",  # by timm.create_model
        "student.onnx",
        "student.pt2",
    }
    best = CLASSES[expected.argmax()]
    assert results.pop("class") == best
    assert outcome.out.count(f"{best}\n") == 4
    for name, values in results.items():
        wanted = expected.softmax(1)[0] if name in ("file", "array") else expected
        torch.testing.assert_close(values, wanted, atol=1e-5, rtol=1e-4, msg=name)


def test_onnx_runtime_needs_nothing_else(
    folder_export: tuple[Path, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, expected = folder_export
    script = tmp_path / "bare.py"
    script.write_text(BARE)
    monkeypatch.chdir(out)
    outcome = spawn("python", script, PYTHONPATH=os.devnull).succeeded()
    assert outcome.out.split() == [CLASSES[expected.argmax()]]


def test_class_names_are_those_of_the_folders(folder_export: tuple[Path, torch.Tensor]) -> None:
    facts = json.loads((folder_export[0] / "student.json").read_text())
    assert facts["classes"] == CLASSES
    assert facts["channel_order"] == "rgb"
    meta = torch.load(folder_export[0] / "student.pth")["meta"]
    assert meta["dataset_meta"]["classes"] == CLASSES
    names = [step["type"] for step in facts["pipeline"]]
    assert names == ["LoadImageFromFile", "ResizeEdge", "CenterCrop", "PackInputs"]


@pytest.mark.parametrize(
    ("lines", "classes"),
    [
        ("val_dataloader['dataset']['metainfo'] = dict(classes=list('wxyz'))", list("wxyz")),
        ("val_dataloader['dataset']['data_root'] = 'nowhere'", list("abcd")),
        ("val_dataloader['dataset']['metainfo'] = dict(classes=['w', 'x'])", []),
    ],
    ids=["by hand", "of the checkpoint, without data", "too few"],
)
def test_the_inferencer_takes_classes_from_elsewhere(
    lines: str, classes: list[str], folder_export: tuple[Path, torch.Tensor], tmp_path: Path
) -> None:
    out, expected = folder_export
    root = str(out.parent / "data")
    config = tmp_path / "config.py"
    config.write_text(IMAGE_FOLDER.format(root=root) + lines + "\n")
    content = torch.load(out.parent / "epoch_1.pth")
    content["meta"]["dataset_meta"] = {"classes": tuple("abcd")}
    torch.save(content, tmp_path / "epoch_1.pth")
    options = ("--formats", "mmpretrain", "--input-shape", 3, 32, 32)
    outcome = call(
        "export_student.py", config, tmp_path / "epoch_1.pth", tmp_path / "out", *options
    )
    outcome.succeeded()
    infer = ImageClassificationInferencer(
        str(tmp_path / "out/student_config.py"), str(tmp_path / "out/student.pth"), device="cpu"
    )
    (prediction,) = infer(str(out / "image.png"))
    place = int(expected.argmax())
    assert prediction["pred_label"] == place
    assert prediction.get("pred_class") == (classes[place] if classes else None)
    assert ("2 classes and the student has 4 outputs" in " ".join(outcome.out.split())) is (
        not classes
    )


def test_the_inferencer_takes_files_for_images_that_were_in_memory(
    trained: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call("export_student.py", PAIR, trained.student, out, "--formats", "mmpretrain").succeeded()
    infer = ImageClassificationInferencer(
        str(out / "student_config.py"), str(out / "student.pth"), device="cpu"
    )
    item = build_dataset(load_config(PAIR).test_dataloader.dataset).get_data_info(0)
    cv2.imwrite(str(tmp_path / "digit.png"), item["img"])
    of_array, of_file = infer([item["img"], str(tmp_path / "digit.png")])
    with torch.no_grad():
        pixels = torch.from_numpy(item["img"]).permute(2, 0, 1)[None].float()
        logits = infer.model((pixels - 77.713) / 95.724)
    np.testing.assert_allclose(of_array["pred_scores"], logits.softmax(1)[0], atol=1e-5)
    assert of_array["pred_class"] == of_file["pred_class"]
    # Gray from three equal channels may round a level down.
    np.testing.assert_allclose(of_file["pred_scores"], of_array["pred_scores"], atol=0.02)


FROM_FILES = {
    "type": "mmpretrain.datasets.CustomDataset",
    "pipeline": [{"type": "mmcv.transforms.LoadImageFromFile"}],
}


@pytest.mark.parametrize(
    ("data", "channels", "to_rgb", "order"),
    [
        (FROM_FILES, 3, True, "rgb"),
        (FROM_FILES, 3, False, "bgr"),
        ({"type": "cls_kd.data.CIFAR100"}, 3, False, "rgb"),
        ({"type": "mmpretrain.datasets.CIFAR100"}, 3, True, "bgr"),
        ({"type": "cls_kd.data.Digits"}, 1, False, "gray"),
        ({}, 3, True, "rgb"),
        ({}, 3, False, None),
    ],
)
def test_the_order_of_channels_follows_from_how_images_are_loaded(
    data: dict, channels: int, to_rgb: bool, order: str | None
) -> None:
    assert channel_order(data, channels, to_rgb) == order


@pytest.fixture(autouse=True)
def _own_files_are_weights_only() -> None:
    forbid_unpickling()
