"""Whatever way a hostile checkpoint comes in, it is refused and nothing of it runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cls_kd.distillers.checkpoints import read_checkpoint
from tests.tools.conftest import Spoil, Trained
from tests.tools.driver import PAIR, Outcome, call, contents
from tests.tools.hostile import HOSTILE, bare, legacy, zipped

Use = Callable[[Path, Spoil, Path], Outcome]


def _teacher(file: Path, config: Spoil, folder: Path) -> Outcome:
    path = config(f"model['teacher']['weights'] = {str(file)!r}")
    return call("train.py", path, "--work-dir", folder / "work")


def _student(file: Path, config: Spoil, folder: Path) -> Outcome:
    path = config(f"model['student_weights'] = {str(file)!r}")
    return call("train.py", path, "--work-dir", folder / "work")


def _resume(file: Path, config: Spoil, folder: Path) -> Outcome:
    return call("train.py", config(), "--work-dir", folder / "work", "--resume", file)


def _test(file: Path, config: Spoil, folder: Path) -> Outcome:
    return call("test.py", config(), file, "--out", folder / "out.json")


def _export(file: Path, config: Spoil, folder: Path) -> Outcome:
    return call("export_student.py", config(), file, folder / "work")


USES: dict[str, Use] = {
    "teacher": _teacher,
    "student_weights": _student,
    "resume": _resume,
    "test": _test,
    "export": _export,
}


_EVERY_KIND = [(use, kind) for use in ("teacher", "test") for kind in HOSTILE]
_SOME_KINDS = [
    (use, kind)
    for use in ("student_weights", "resume", "export")
    for kind in ("zip", "legacy", "getattr", "pickle named safetensors")
]


@pytest.mark.parametrize(("use", "kind"), [*_EVERY_KIND, *_SOME_KINDS])
def test_it_is_refused_and_nothing_runs(use: str, kind: str, config: Spoil, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    name, make = HOSTILE[kind]
    file = tmp_path / name
    file.write_bytes(make(marker))
    outcome = USES[use](file, config, tmp_path).refused(str(file))
    assert outcome.code == 1
    assert "refused" in outcome.err or "cannot be read" in outcome.err
    assert not marker.exists()
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("make", [zipped, legacy, bare])
def test_the_same_bytes_do_run_where_they_are_unpickled(
    make: Callable[[Path], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the tests above would show nothing."""
    marker = tmp_path / "ran"
    file = tmp_path / "weights.pth"
    file.write_bytes(make(marker))
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    if make is bare:
        pickle.loads(file.read_bytes())
    else:
        torch.load(file, weights_only=False)
    assert marker.exists()


def test_the_text_of_a_config_in_a_checkpoint_is_not_executed(
    config: Spoil, trained: Trained, tmp_path: Path
) -> None:
    """MMEngine's resume reads ``meta['config']`` as Python."""
    marker = tmp_path / "ran"
    checkpoint = read_checkpoint(trained.student)
    checkpoint["meta"]["config"] = f"open({str(marker)!r}, 'w').close()\nmodel = dict()"
    file = tmp_path / "weights.pth"
    torch.save(checkpoint, file)
    options = ("--resume", file, "--cfg-options", "train_cfg.max_epochs=2")
    call("train.py", config(), "--work-dir", tmp_path / "work", *options).succeeded()
    assert not marker.exists()


def _damaged(good: bytes) -> dict[str, bytes]:
    return {
        "cut": good[: len(good) // 2],
        "nearly whole": good[:-40],
        "empty": b"",
        "text": b"<html>404 not found</html>",
    }


@pytest.mark.parametrize("kind", ["cut", "nearly whole", "empty", "text"])
def test_a_damaged_checkpoint_is_not_resumed_and_nothing_changes(
    kind: str, trained: Trained, tmp_path: Path
) -> None:
    work_dir = tmp_path / "work"
    options = ("--method", "nkd", "--work-dir", work_dir, "--cfg-options", "train_cfg.max_epochs=1")
    for name, data in contents(trained.work_dir).items():
        (work_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (work_dir / name).write_bytes(data)
    (work_dir / "nkd" / "result.json").unlink()  # interrupted after its last checkpoint
    file = work_dir / "nkd" / "epoch_1.pth"
    file.write_bytes(_damaged(file.read_bytes())[kind])
    before = contents(work_dir)
    call("train.py", PAIR, "--resume", *options).refused(str(file), "is damaged")
    assert contents(work_dir) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda whole: {"state_dict": whole["state_dict"]}, "no state of a training"),
        (lambda whole: {**whole, "meta": {"epoch": "1"}}, "no state of a training"),
        (lambda whole: {**whole, "optimizer": {"state": {}}}, "another optimizer"),
        (lambda whole: {"meta": whole["meta"]}, "holds no weights"),
    ],
    ids=["weights only", "odd epoch", "other optimizer", "no weights"],
)
def test_a_checkpoint_of_something_else_is_not_resumed(
    spoil: Callable[[dict], dict], words: str, config: Spoil, trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "weights.pth"
    torch.save(spoil(read_checkpoint(trained.student)), file)
    outcome = call("train.py", config(), "--work-dir", tmp_path / "work", "--resume", file)
    outcome.refused(str(file), words)
    assert not (tmp_path / "work").exists()


def test_one_checkpoint_is_not_resumed_by_several_runs(trained: Trained, tmp_path: Path) -> None:
    options = ("--work-dir", tmp_path / "work", "--resume", trained.student)
    call("train.py", PAIR, *options).refused("one checkpoint is of one run")
    assert not (tmp_path / "work").exists()
