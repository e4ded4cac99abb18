"""docs/diagnose.md explains every rule, and states the thresholds of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cls_kd.analyses.diagnosis import RULES, network_rules, objective_rules
from cls_kd.analyses.diagnosis.page import TITLES

PAGE = (Path(__file__).parents[2] / "docs" / "diagnose.md").read_text()


def text(value: Any) -> str:
    if isinstance(value, tuple):
        return " to ".join(f"{item:.2f}" for item in value)
    return str(value)


def test_every_rule_is_explained() -> None:
    explained = re.findall(r"^### `(\w+)`$", PAGE, re.M)
    assert sorted(explained) == sorted(rule.name for rule in RULES)


def test_every_figure_is_explained() -> None:
    for title in TITLES.values():
        assert f"- **{title}**" in PAGE


def test_thresholds_are_those_of_the_code() -> None:
    constants = {
        name: text(value)
        for module in (network_rules, objective_rules)
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_")
    }
    stated = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.M))
    assert stated == constants
    prose = PAGE.partition("## Thresholds")[0]
    assert [name for name in constants if f"`{name}`" not in prose] == []
