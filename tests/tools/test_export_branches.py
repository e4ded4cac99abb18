"""tools/export_student.py --branch: one branch alone, or all of them together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmpretrain import get_model

from cls_kd.engine import load_config
from cls_kd.engine.compat import forbid_unpickling
from cls_kd.registry import MODELS
from tests.engine import tiny_runs
from tests.tools.conftest import Trained
from tests.tools.driver import PAIR, call

BRANCHES = tiny_runs.ROOT / "configs" / "digits" / "branches.py"
FORMATS = ("--formats", "mmpretrain", "safetensors")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    network = MODELS.build(load_config(BRANCHES).to_dict()["model"]["student"])
    torch.save({"state_dict": network.state_dict()}, tmp_path / "branches.pth")
    return tmp_path / "branches.pth"


def student(checkpoint: Path) -> torch.nn.Module:
    network = MODELS.build(load_config(BRANCHES).to_dict()["model"]["student"])
    network.load_state_dict(torch.load(checkpoint)["state_dict"])
    return network.eval()


@pytest.mark.parametrize("branch", [None, "2", "-1", "ensemble"])
def test_what_is_exported_gives_its_logits(
    branch: str | None, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = () if branch is None else ("--branch", branch)
    call("export_student.py", BRANCHES, checkpoint, out, *FORMATS, *options).succeeded()
    loaded = get_model(str(out / "student_config.py"), pretrained=str(out / "student.pth"))
    inputs, network = torch.randn(4, 1, 8, 8), student(checkpoint)
    network.deploy = {None: 0, "2": 2, "-1": 2, "ensemble": "ensemble"}[branch]
    with torch.no_grad():
        assert torch.equal(loaded(inputs), network(inputs))
    keys = set(torch.load(out / "student.pth")["state_dict"])
    if branch == "ensemble":
        assert keys == set(network.state_dict())
    else:  # an ordinary classifier, nothing of the other branches in it
        assert keys == set(network.branch(0).state_dict())
        assert type(loaded).__name__ == "ImageClassifier"
        assert "cls_kd.models.multi_branch" not in (out / "student_config.py").read_text()


@pytest.mark.parametrize("branch", ["3", "all"])
def test_there_must_be_such_a_branch(branch: str, checkpoint: Path, tmp_path: Path) -> None:
    outcome = call("export_student.py", BRANCHES, checkpoint, tmp_path / "out", "--branch", branch)
    outcome.refused("0 to 2, -1 is the last, and 'ensemble'")
    assert not (tmp_path / "out").exists()


def test_other_students_have_no_branches(trained: Trained, tmp_path: Path) -> None:
    outcome = call("export_student.py", PAIR, trained.student, tmp_path / "out", "--branch", "0")
    outcome.refused("has no branches")


@pytest.fixture(autouse=True)
def _own_files_are_weights_only() -> None:
    forbid_unpickling()
