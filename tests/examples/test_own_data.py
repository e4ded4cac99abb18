"""A user's own images and network, outside this repository, by the very page that says how."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.tools.driver import fork

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own_data_and_model.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.M | re.S))
CONFIGS = ("teacher.py", "student.py", "own_student.py")
SMALL = (
    "train_dataloader.num_workers=0",
    "val_dataloader.num_workers=0",
    "train_dataloader.dataset.pipeline.1.scale=32",
    "val_dataloader.dataset.pipeline.1.scale=32",
    "val_dataloader.dataset.pipeline.2.crop_size=32",
)


def write_images(folder: Path, each: dict[str, int]) -> None:
    """Handwritten digits as PNG files of 32 pixels, three channels, one folder a class."""
    images, labels = load_digits(return_X_y=True)
    for label in range(10):
        of_class = iter(images[labels == label].reshape(-1, 8, 8))
        for split, count in each.items():
            place = folder / split / f"digit_{label}"
            place.mkdir(parents=True)
            for number in range(count):
                grey = (next(of_class) * (255 / 16)).astype(np.uint8)
                large = Image.fromarray(grey).resize((32, 32), Image.Resampling.BICUBIC)
                large.convert("RGB").save(place / f"{number}.png")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: images, the page's files, and a teacher trained for one epoch."""
    folder = tmp_path_factory.mktemp("project")
    write_images(folder / "data/birds", {"train": 20, "val": 5})
    for name, code in FILES.items():
        (folder / name).write_text(code)
    (command,) = [line for line in commands() if "train_cfg.max_epochs=1" in line]
    run(folder, command)
    return folder


def commands() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if "tools/train.py" in line]


def run(folder: Path, command: str, *options: str) -> dict:
    """Run a command of the page in the user's folder; what the run wrote as its result."""
    words = shlex.split(command.replace("CLS_KD", str(ROOT)))
    # The project's own folder comes first on the path only where the command says so.
    own = words[0] == "PYTHONPATH=."
    paths = [*([str(folder)] if own else []), str(ROOT)]
    program = [*words[2 if own else 1 :], *options]
    fork(*program, cwd=folder, PYTHONPATH=os.pathsep.join(paths)).outcome().succeeded()
    config = next(word for word in words if word in CONFIGS)
    return json.loads((folder / "work_dirs" / Path(config).stem / "result.json").read_text())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_under_thirty_lines(name: str) -> None:
    assert len(f"# {name}\n{FILES[name]}".splitlines()) < 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student.py", "own_student.py"])
def test_it_distils_from_the_users_own_folder(project: Path, name: str) -> None:
    command = next(line for line in commands() if line.endswith(f" {name}"))
    weights = "model.teacher.weights=work_dirs/teacher/epoch_1.pth"
    result = run(project, command, "--cfg-options", "train_cfg.max_epochs=1", weights, *SMALL)
    teacher = json.loads((project / "work_dirs/teacher/result.json").read_text())
    assert result["epochs"] == 1
    assert result["teacher"]["0"]["accuracy/top1"] == pytest.approx(
        teacher["val"][-1]["accuracy/top1"]
    )
    assert 0 < result["train"][0]["loss"] < float("inf")
    assert 0 <= result["val"][0]["accuracy/top1"] <= 100
