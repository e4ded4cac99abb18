"""Packages that are not always installed."""

from __future__ import annotations

import sys

import pytest

from cls_kd.errors import UserError
from cls_kd.packages import require


def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require("json", by="Nothing", install="nothing")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError) as refused:
        require("json", "optuna", by="A search", install="'cls_kd[tune]'", otherwise="Go without.")
    message = "A search needs the package optuna: pip install 'cls_kd[tune]'. Go without."
    assert str(refused.value) == message
