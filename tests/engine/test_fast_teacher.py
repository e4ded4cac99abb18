"""A fast teacher in a training: stated before it, part of the digest, unchanged after it."""

from __future__ import annotations

from pathlib import Path

from cls_kd.engine import train
from tests.engine import tiny_runs


def test_bfloat16_is_stated_before_the_training(digits_teacher: Path, tmp_path: Path) -> None:
    cfg = tiny_runs.config(digits_teacher, epochs=1)
    plain = tiny_runs.single(cfg, tmp_path / "plain")
    cfg.model.teacher.dtype = "bfloat16"
    run = tiny_runs.single(cfg, tmp_path / "bfloat16")
    assert run.digest() != plain.digest()
    train(run)
    (log,) = run.work_dir.rglob("*.log")
    lines = log.read_text().splitlines()
    (stated,) = (index for index, line in enumerate(lines) if "runs with" in line)
    (first,) = (index for index, line in enumerate(lines) if "[1][2/5]" in line)
    assert stated < first
    assert (
        "Teacher 0 runs with 3 of 3 batch norms folded into convolutions, channels_last, bfloat16: "
        "relative error" in lines[stated]
    )
    assert "of 60 images, KL at temperature 4" in lines[stated]
    assert any("Teacher 0 is bit for bit as before training." in line for line in lines)
