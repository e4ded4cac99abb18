"""Disks that are full, and checkpoints that change on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.engine import train
from cls_kd.errors import UserError
from tests.engine import tiny_runs

EPOCHS = 3


@pytest.fixture(scope="module")
def uninterrupted(
    digits_teacher: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("whole")
    train(tiny_runs.single(tiny_runs.config(digits_teacher, epochs=EPOCHS), folder))
    return tiny_runs.state(folder)


def stopped_by_a_full_disk(digits_teacher: Path, folder: Path) -> None:
    """Train until the last checkpoint, for which there is no space."""
    folder.mkdir()
    cfg = tiny_runs.config(digits_teacher, epochs=EPOCHS)
    (folder / f".epoch_{EPOCHS}.pth.tmp").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"epoch_3\.pth could not be written: no space is left"):
        train(tiny_runs.single(cfg, folder))
    assert sorted(path.name for path in folder.glob("*.pth")) == ["epoch_1.pth", "epoch_2.pth"]
    assert not list(folder.glob(".*.tmp"))


def test_a_full_disk_costs_no_checkpoint(
    digits_teacher: Path, uninterrupted: dict[str, object], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stopped_by_a_full_disk(digits_teacher, folder)
    train(tiny_runs.single(tiny_runs.config(digits_teacher, epochs=EPOCHS), folder), resume=True)
    assert tiny_runs.different(uninterrupted, tiny_runs.state(folder)) == []


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_taken(
    damage: object,
    digits_teacher: Path,
    uninterrupted: dict[str, object],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    stopped_by_a_full_disk(digits_teacher, folder)
    damage(folder / "epoch_2.pth")  # type: ignore[operator]
    run = tiny_runs.single(tiny_runs.config(digits_teacher, epochs=EPOCHS), folder)
    train(run, resume=True)
    assert "goes on from epoch_1.pth" in capfd.readouterr().err
    assert tiny_runs.different(uninterrupted, tiny_runs.state(folder)) == []


def test_where_all_are_damaged_nothing_is_written(digits_teacher: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    stopped_by_a_full_disk(digits_teacher, folder)
    for path in folder.glob("*.pth"):
        flip(path)
    before = sorted(folder.rglob("*"))
    run = tiny_runs.single(tiny_runs.config(digits_teacher, epochs=EPOCHS), folder)
    with pytest.raises(UserError, match="there is no other"):
        train(run, resume=True)
    assert sorted(folder.rglob("*")) == before
