"""``cls-kd predict`` and ``cls_kd.load_student``: the same classes as in the test, from files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cls_kd
from cls_kd.data import Digits
from tests.tools.conftest import Trained
from tests.tools.driver import PAIR, command
from tests.tools.students import STUDENTS, write_student


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images of the digits as files, in a folder for each label."""
    folder = tmp_path_factory.mktemp("digits")
    data = Digits(split="test")
    for place in range(len(data)):
        info = data.get_data_info(place)
        file = folder / str(info["gt_label"]) / f"{place:03}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.squeeze(info["img"])).save(file)
    return folder


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    command("export", PAIR, trained.student, folder).succeeded()
    return folder


def predictions(*arguments: object) -> list[dict]:
    return json.loads(command("predict", *arguments, "--format", "json").succeeded().out)


def test_accuracy_on_files_is_that_of_the_test(trained: Trained, digits: Path) -> None:
    student = cls_kd.load_student(trained.student.parent)
    files = sorted(digits.rglob("*.png"))
    names = [prediction.classes[0] for prediction in student.predict(files, top=1)]
    labels = [student.classes[int(file.parent.name)] for file in files]
    hits = [name == label for name, label in zip(names, labels, strict=True)]
    result = json.loads((trained.student.parent / "result.json").read_text())
    assert 100 * np.mean(hits) == pytest.approx(result["test"]["accuracy/top1"])


@pytest.mark.parametrize("kept", ["student.safetensors", "student.pth", "student.onnx"])
def test_an_exported_student_predicts_the_same(
    kept: str, trained: Trained, exported: Path, digits: Path, tmp_path: Path
) -> None:
    for name in ("student.json", "student_config.py", kept):
        shutil.copy(exported / name, tmp_path)
    files = sorted((digits / "3").glob("*.png"))
    expected = cls_kd.predict(trained.student.parent, files)
    for found, other in zip(cls_kd.predict(tmp_path, files), expected, strict=True):
        assert found.classes == other.classes
        assert found.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_a_checkpoint_with_a_config(trained: Trained, digits: Path, tmp_path: Path) -> None:
    file = digits / "0" / next((digits / "0").iterdir()).name
    (expected,) = predictions(trained.student.parent, file)
    assert predictions(trained.student, file) == [expected]
    alone = shutil.copy(trained.student, tmp_path)
    command("predict", alone, file).refused("has no config.py beside it", "--config CONFIG")
    assert predictions(alone, file, "--config", "digits/pair", "--method", "nkd") == [expected]
    assert sum(expected["probabilities"]) <= 1 + 1e-6
    assert expected["probabilities"] == sorted(expected["probabilities"], reverse=True)
    assert len(expected["classes"]) == 5


def test_bad_images_are_named_and_the_others_predicted(
    trained: Trained, digits: Path, tmp_path: Path
) -> None:
    good = sorted((digits / "1").glob("*.png"))[:3]
    (tmp_path / "deeper").mkdir()
    for file in good:
        shutil.copy(file, tmp_path / "deeper")
    (tmp_path / "page.png").write_text("<html>")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:60])
    (tmp_path / "notes.txt").write_text("not looked at")
    out = tmp_path / "found.csv"
    arguments = (trained.student.parent, tmp_path, tmp_path / "none.png", "--batch-size", 2)
    outcome = command("predict", *arguments, "--top", 2, "--out", out)
    assert outcome.code == 1
    for name, reason in (
        ("page.png", "cannot be read: not an image of a format that Pillow knows"),
        ("empty.jpg", "cannot be read: the file is empty (0 bytes)"),
        ("cut.png", "cannot be read: damaged or cut short"),
        ("none.png", "does not exist."),
    ):
        assert outcome.err.count(f"error: The image {tmp_path / name} {reason}") == 1
    assert outcome.err.count("error: ") == 4
    with out.open() as text:
        rows = list(csv.DictReader(text))
    assert [row["image"] for row in rows[::2]] == [str(tmp_path / "deeper" / f.name) for f in good]
    assert [row["rank"] for row in rows] == ["1", "2"] * 3
    table = command("predict", trained.student.parent, good[0], "--top", "1").succeeded().out
    assert rows[0]["class"] in table
    assert rows[0]["probability"] in table


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (("nothing", "x.png"), ["There is no file or folder nothing"]),
        (("{work_dir}", "{image}"), ["holds 2 runs", "nkd", "teacher"]),
        (("{empty}", "{image}"), ["holds no student"]),
        (("{run}", "{image}", "--run", "nkd"), ["--run is for --config CONFIG"]),
        (("{run}", "{image}", "--out", "no/such/file.csv"), ["there is no folder no/such"]),
        (("{run}", "{image}", "--top", "0"), ["'0' is not a whole number above 0"]),
        (("{run}", "{empty}"), ["holds no image; images end with .jpg"]),
        (("{work_dir}/nk", "{image}"), ["There is no file or folder", "Did you mean"]),
    ],
)
def test_refusals(
    words: tuple[str, ...], messages: list[str], trained: Trained, digits: Path, tmp_path: Path
) -> None:
    places = {
        "work_dir": trained.work_dir,
        "run": trained.student.parent,
        "empty": tmp_path,
        "image": next((digits / "0").iterdir()),
    }
    outcome = command("predict", *(word.format(**places) for word in words)).refused(*messages)
    assert outcome.out == ""


def test_nothing_in_an_exported_folder_is_called(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    shutil.copytree(exported, folder)
    facts = json.loads((folder / "student.json").read_text())
    mark = tmp_path / "mark"
    call = {"type": "os.system", "command": f"touch {mark}"}
    (folder / "student.json").write_text(json.dumps({**facts, "pipeline": [call]}))
    outcome = command("predict", folder, tmp_path / "x.png")
    outcome.refused("was refused: 'os.system' is no BaseTransform here")
    (folder / "student.json").write_text("{")
    command("predict", folder, tmp_path / "x.png").refused("student.json is damaged")
    assert not mark.exists()


def test_files_pillow_images_and_arrays_are_the_same_inputs(tmp_path: Path) -> None:
    config, checkpoint, network = write_student(tmp_path, "resnet")
    student = cls_kd.load_student(checkpoint, config, shape=STUDENTS["resnet"][1])
    rgb = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    image = Image.fromarray(rgb)
    image.save(tmp_path / "image.png")
    mean, std = np.float32([120, 110, 100]), np.float32(60)
    expected = torch.from_numpy(((rgb - mean) / std).transpose(2, 0, 1))
    for form in (tmp_path / "image.png", image, rgb):
        torch.testing.assert_close(student.preprocess(form).cpu(), expected)
    with torch.no_grad():
        probabilities = network(expected[None]).softmax(1)[0]
    (found,) = student.predict([rgb], top=4)
    assert found.image == "image 0"
    assert found.classes == tuple(
        str(place) for place in probabilities.argsort(descending=True).tolist()
    )
    assert not student.network.training
