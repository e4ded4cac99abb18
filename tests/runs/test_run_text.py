"""The text of a run's config, of which its digest is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.runs import Run
from cls_kd.runs.plain_config import PlainConfig


def test_a_config_is_formatted_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[int] = []
    text = PlainConfig.pretty_text.fget
    monkeypatch.setattr(
        PlainConfig, "pretty_text", property(lambda cfg: formatted.append(1) or text(cfg))
    )
    teacher = Run("teacher", 0, PlainConfig(dict(train_cfg=dict(max_epochs=1))), Path("teacher"))
    run = Run("kd", 0, PlainConfig(dict(train_cfg=dict(max_epochs=2))), Path("kd"))
    run.depends_on = {"run:teacher": teacher}
    digest = run.digest()
    assert run.digest() == digest
    assert len(formatted) == 2
    run.cfg.train_cfg.max_epochs = 2.0
    assert "2.0" in run.text()
    changed = run.digest()
    run.cfg.train_cfg.max_epochs = 2
    assert run.digest() == digest != changed
