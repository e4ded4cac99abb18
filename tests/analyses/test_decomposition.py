"""The section about KD's parts: means over seeds, a teacher for those who have none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cls_kd.analyses import decomposition
from cls_kd.errors import UserError
from cls_kd.evaluation.decomposition import decompose

LABELS = torch.tensor([0, 1, 2, 3])
TEACHER = torch.randn(4, 5, generator=torch.Generator().manual_seed(9))


class Fake:
    """As a finished run: a student by its seed, and the teacher or none."""

    def __init__(self, name: str, seed: int, *, taught: bool = True) -> None:
        self.name, self.seed = name, seed
        self.distiller = SimpleNamespace(teachers=["one"] if taught else [])
        self.logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed))

    def signals(self, split: str, names: list[str], *, teacher_of: Fake) -> dict[str, Any]:
        assert split == "val"
        # A run that has a teacher asks its own; others that of the first run that has one.
        assert teacher_of is (self if self.distiller.teachers else RUNS[1])
        known = {"student_logits": self.logits, "teacher_logits": TEACHER, "labels": LABELS}
        return {name: known[name] for name in names}


RUNS = [Fake("student", 0, taught=False), Fake("kd", 1), Fake("kd", 2), Fake("nkd", 1)]


def test_one_row_a_run_with_means_over_seeds() -> None:
    table = decomposition(RUNS, temperature=2.0).table  # type: ignore[arg-type]
    assert list(table["run"]) == ["student", "kd", "nkd"]
    assert list(table["seeds"]) == [1, 2, 1]
    rows = table.set_index("run")
    alone = decompose(RUNS[0].logits, TEACHER, LABELS, 2.0).mean()
    seeds = [decompose(run.logits, TEACHER, LABELS, 2.0).mean() for run in RUNS[1:3]]
    assert rows.loc["student", "KD"] == pytest.approx(alone["total"])
    assert rows.loc["kd", "target"] == pytest.approx((seeds[0]["target"] + seeds[1]["target"]) / 2)
    assert rows.loc["kd", "teacher mass %"] == pytest.approx(100 * alone["teacher_mass"])
    parts = rows["target"] + rows["mass"] + rows["shape"]
    assert parts.to_numpy() == pytest.approx(rows["KD"].to_numpy())


def test_it_is_written_with_a_figure(tmp_path: Path) -> None:
    section = decomposition(RUNS)  # type: ignore[arg-type]
    written = section.write(tmp_path)
    assert [file.name for file in written] == ["decomposition.csv", "decomposition.png"]
    assert "| student | 1 |" in section.markdown()


def test_somebody_must_have_a_teacher() -> None:
    with pytest.raises(UserError, match="none of the runs has a teacher"):
        decomposition(RUNS[:1])  # type: ignore[arg-type]
