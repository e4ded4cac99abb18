"""The table of methods that are trained together is that of the code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    cohorts = importlib.import_module("cohort_page")
    monkeypatch.delitem(sys.modules, "cohort_page")
    page = cohorts.PAGE.read_text(encoding="utf-8")
    assert cohorts.page(page) == page, "run python docs/_ext/cohort_page.py"
    assert "| `crld` | `mlkd`, `ntce_kd`, `sld` | training data |" in page
