"""Files that are written whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.errors import UserError
from cls_kd.files import full_disk_explained, replace_atomically


def fill(file: Path) -> None:
    """Write to a device that is always full."""
    file.symlink_to("/dev/full")
    file.write_text("x" * 9999)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("before")
    with pytest.raises(UserError, match=r"result\.json could not be written: no space is left"):
        replace_atomically(tmp_path / "result.json", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_text() == "before"


def test_a_write_that_names_no_file_names_the_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=rf"A file in {tmp_path} could not be written: no space"),
        full_disk_explained(tmp_path),
    ):
        fill(tmp_path / "log")


def test_other_errors_stay(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), full_disk_explained(tmp_path):
        (tmp_path / "missing").read_text()
