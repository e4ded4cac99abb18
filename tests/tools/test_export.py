"""tools/export_student.py: what it writes gives the student's logits where cls_kd is not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.engine import export, load_config
from cls_kd.engine.compat import forbid_unpickling
from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor, largest_difference
from cls_kd.errors import UserError
from tests.tools.conftest import Spoil, Trained
from tests.tools.driver import PAIR, call, contents
from tests.tools.students import STUDENTS, write_student


@pytest.mark.parametrize("name", ["resnet", "timm by config"])
def test_onnx_gives_the_logits_for_any_batch(name: str, tmp_path: Path) -> None:
    shape = STUDENTS[name][1]
    config, checkpoint, network = write_student(tmp_path, name)
    options = ("--formats", "onnx", "--input-shape", *shape)
    outcome = call("export_student.py", config, checkpoint, tmp_path / "out", *options)
    assert f"Tolerance of the ONNX check: {export.TOLERANCE}" in outcome.succeeded().out
    assert list(contents(tmp_path / "out")) == ["student.json", "student.md", "student.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "student.onnx")
    for batch in (1, 5):
        inputs = torch.randn(batch, *shape)
        with torch.no_grad():
            expected = network(inputs).numpy()
        found = session.run(["logits"], {"inputs": inputs.numpy()})[0]
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_all_formats_of_a_trained_student(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "some" / "where"
    outcome = call("export_student.py", PAIR, trained.student, out).succeeded()
    assert sorted(contents(out)) == [
        "student.json",
        "student.md",
        "student.onnx",
        "student.pth",
        "student.safetensors",
        "student_config.py",
    ]
    assert [entry.name for entry in out.parent.iterdir()] == ["where"]
    assert "cls_kd.models.digits_cnn" in outcome.out
    assert "mean [77.713], std [95.724]" in outcome.out
    text = (out / "student_config.py").read_text()
    assert "# Needs, besides mmpretrain: cls_kd.models.digits_cnn." in text
    assert "custom_imports" in text
    properties = {one.key: one.value for one in onnx.load(out / "student.onnx").metadata_props}
    assert json.loads(properties["mean"]) == [77.713]
    assert json.loads(properties["std"]) == [95.724]
    assert json.loads(properties["classes"])[0] == "zero"
    with safe_open(out / "student.safetensors", "pt") as file:
        assert json.loads(file.metadata()["input_shape"]) == [1, 8, 8]
    meta = torch.load(out / "student.pth", weights_only=True)["meta"]
    assert meta["dataset_meta"]["classes"][9] == "nine"


@pytest.mark.parametrize("name", ["student.pth", "student.safetensors"])
def test_an_exported_file_is_a_checkpoint_like_any_other(
    name: str, trained: Trained, tmp_path: Path
) -> None:
    options = ("--formats", "mmpretrain", "safetensors")
    call("export_student.py", PAIR, trained.student, tmp_path / "out", *options).succeeded()
    network = build_network(load_config(PAIR).model.student)
    assert "20 tensors" in load_weights(network, str(tmp_path / "out" / name))
    call("test.py", PAIR, tmp_path / "out" / name).succeeded()


def test_what_does_not_give_the_logits_is_not_written(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    call("export_student.py", PAIR, trained.student, out, "--formats", "safetensors").succeeded()
    before = contents(tmp_path)

    def spoilt(task: ExportTask) -> Predictor:
        (task.output / "student.onnx").write_bytes(b"half")
        raise UserError("The exported network does not give the student's logits.")

    broken = dataclasses.replace(export.FORMATS["onnx"], write=spoilt)
    monkeypatch.setitem(export.FORMATS, "onnx", broken)
    call("export_student.py", PAIR, trained.student, out).refused("does not give the student's")
    call("export_student.py", PAIR, trained.student, tmp_path / "new").refused("does not give")
    assert contents(tmp_path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_another_function_than_the_student_is_noticed(trained: Trained) -> None:
    student = export.read_student(load_config(PAIR), str(trained.student))
    with pytest.raises(UserError, match=r"differ by up to 0\.1"):
        largest_difference(student, lambda x: student.network(x) + 0.125, export.TOLERANCE)
    with pytest.raises(UserError, match="does not give the student's logits for 1 images"):
        largest_difference(student, lambda x: student.network(x)[:, :5], 0.0)
    with pytest.raises(UserError, match="differ by up to inf"):
        largest_difference(student, lambda x: student.network(x) / 0, None)


def test_without_data_the_shape_must_be_said(tmp_path: Path) -> None:
    config, checkpoint, _ = write_student(tmp_path, "resnet")
    outcome = call("export_student.py", config, checkpoint, tmp_path / "out")
    outcome.refused("shape of an image")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/nowhere/epoch_1.pth",), "does not exist"),
        (("TEACHER",), "does not fit"),
        (("STUDENT", "--run", "techer"), "Did you mean 'teacher'"),
        (("STUDENT", "--formats", "onxx"), "invalid choice"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    arguments: tuple[str, ...], words: str, trained: Trained, tmp_path: Path
) -> None:
    files = {"STUDENT": trained.student, "TEACHER": trained.teacher}
    checkpoint, *options = [files.get(one, one) for one in arguments]
    outcome = call("export_student.py", PAIR, checkpoint, tmp_path / "out", *options)
    outcome.refused(words)
    assert not list(tmp_path.iterdir())


def test_a_user_s_own_backbone_is_imported_by_its_module(
    config: Spoil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_backbones.py").write_text(
        "from cls_kd.models import DigitsCNN\n"
        "from cls_kd.registry import MODELS\n\n\n"
        "@MODELS.register_module(force=True)\n"
        "class MyCNN(DigitsCNN):\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = config(
        "custom_imports = dict(imports=['my_backbones'])",
        "model['student']['backbone']['type'] = 'MyCNN'",
    )
    network = build_network(load_config(path).model.student)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "mine.pth")
    options = ("--formats", "mmpretrain")
    call("export_student.py", path, tmp_path / "mine.pth", tmp_path / "out", *options).succeeded()
    text = (tmp_path / "out" / "student_config.py").read_text()
    assert "my_backbones.MyCNN" in text
    assert "'my_backbones'" in text


@pytest.fixture(autouse=True)
def _own_files_are_weights_only() -> None:
    forbid_unpickling()
