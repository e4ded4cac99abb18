"""The search spaces that losses declare beside their options."""

from __future__ import annotations

import inspect

import pytest

from cls_kd.losses import DistillLoss
from cls_kd.losses.discovery import known_losses
from cls_kd.losses.search import Choice, IntegerRange, Range, around, search_over

DECLARED = [kind for kind in known_losses().values() if kind.search_space]


def test_many_losses_declare_a_space() -> None:
    assert len(DECLARED) > 40


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_a_space_is_of_options_and_contains_their_defaults(kind: type[DistillLoss]) -> None:
    options = inspect.signature(kind).parameters
    for name, space in kind.search_space.items():
        default = options[name].default
        assert space.containing(default) == space, f"{name}={default} is outside of {space}"
        assert isinstance(default, int if isinstance(space, IntegerRange) else object)


def test_spaces_extend_to_a_default_outside() -> None:
    assert Range(1.0, 2.0).containing(4.0) == Range(1.0, 4.0)
    assert IntegerRange(2, 4).containing(1) == IntegerRange(1, 4)
    assert Choice((1, 2)).containing(3) == Choice((1, 2, 3))
    assert around(1000.0) == Range(10.0, 10000.0, log=True)


def test_a_space_cannot_be_changed_and_reads_well() -> None:
    space = search_over(temperature=Range(1.0, 20.0, log=True))
    assert str(space["temperature"]) == "1 to 20, logarithmic"
    with pytest.raises(TypeError):
        space["temperature"] = Range(0.0, 1.0)  # type: ignore[index]
