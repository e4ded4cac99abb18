"""Two processes fill one store of teacher outputs, each with rows of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cls_kd.engine import train
from cls_kd.teacher_store import entries
from tests.distributed.test_two_processes import in_two
from tests.engine import tiny_runs
from tests.engine.stored_runs import digits, log, trained

pytestmark = pytest.mark.ddp


def _train(teacher: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    cfg = digits(teacher, {"dir": str(folder / "stores")}, epochs=1)
    train(tiny_runs.single(cfg, folder / "two"), launcher="pytorch")


def test_rows_of_two_processes_are_those_of_one(digits_teacher: Path, tmp_path: Path) -> None:
    assert in_two(_train, digits_teacher, tmp_path) == [0, 0]
    (entry,) = entries(tmp_path / "stores")
    assert entry.rows == entry.capacity == 100
    cfg = digits(digits_teacher, {"dir": str(tmp_path / "stores"), "verify": 1.0}, epochs=1)
    trained(cfg, tmp_path / "one")
    assert "100 of 100 rows read, 100 verified: equal, bit for bit" in log(tmp_path / "one")
