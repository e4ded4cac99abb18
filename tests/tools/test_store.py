"""``cls-kd train --store-teacher`` and ``cls-kd store``, as a user gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.runs.plain_config import PlainConfig
from cls_kd.teacher_store import entries
from tests.engine import tiny_runs
from tests.engine.stored_runs import log
from tests.tools.driver import command


@pytest.fixture
def config(digits_teacher: Path, tmp_path: Path) -> Path:
    cfg = tiny_runs.config(digits_teacher, epochs=1)
    file = tmp_path / "config.py"
    file.write_text(PlainConfig({**cfg.to_dict(), "method": "kd"}).pretty_text)
    return file


def test_outputs_are_stored_verified_listed_and_removed(config: Path, tmp_path: Path) -> None:
    stores = tmp_path / "stores"
    words = ["train", config, "--store-teacher", stores, "--work-dir"]
    command(*words, tmp_path / "first").succeeded()
    command(*words, tmp_path / "second", "--verify", "1").succeeded()
    assert "100 verified: equal, bit for bit" in log(tmp_path / "second")
    # Finished with the same store elsewhere, or none verified: the same run.
    again = command(
        "train", config, "--store-teacher", "--work-dir", tmp_path / "second", "--resume"
    )
    assert "finished and unchanged" in again.succeeded().err
    (entry,) = entries(stores)
    shown = command("store", "ls", "--dir", stores).succeeded().out
    assert entry.folder.name[:8] in shown
    assert "100 (100%)" in shown
    command("store", "rm", "--dir", stores).refused("Name the stores to remove by their keys")
    command("store", "rm", "x", "--dir", stores).refused("has no store 'x'")
    command("store", "rm", entry.folder.name[:6], "--dir", stores).succeeded()
    assert not entry.folder.exists()
    empty = command("store", "ls", "--dir", stores).succeeded()
    assert "holds no stored teacher outputs" in " ".join(empty.out.split())


def test_what_cannot_be_stored_is_refused(config: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / "run"
    words = ["train", config, "--work-dir", work_dir]
    command(*words, "--verify", "0.1").refused("--verify compares stored teacher outputs")
    command(*words, "--store-teacher", "--verify", "3").refused("'3' is not a number from 0 to 1")
    option = ["--cfg-options", "model.teacher.store.dtyp=float16"]
    command(*words, *option).refused("model.teacher.store", "no 'dtyp'", "dtype")
    command(*words, "--method", "fitnet", "--store-teacher", tmp_path / "stores").refused(
        "the losses ask this teacher for teacher_stages"
    )
    alone = ["--cfg-options", "model.teacher=None", "--method", "ce"]
    command(*words, *alone, "--store-teacher").refused("no run of this config has a teacher")
    assert not work_dir.exists()
    assert not (tmp_path / "stores").exists()
