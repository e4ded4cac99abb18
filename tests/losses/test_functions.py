"""The losses as functions give what the classes give, and only stateless ones are functions."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from cls_kd.losses import LOSSES, functional

from .fabricate import SIZES, fabricate
from .test_every_loss import ROWS

STATELESS = {name: loss for name, loss in LOSSES.items() if loss.stateless}


def function_of(name: str) -> Any:
    (function,) = (
        value for value in functional.functions().values() if value.__doc__ is LOSSES[name].__doc__
    )
    return function


def outcome(loss: Any, signals: dict[str, Any], **options: Any) -> Any:
    torch.manual_seed(3)  # some losses draw
    return loss(**signals, **options)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_called_stateless_needs_no_build_and_remembers_nothing(name: str) -> None:
    kind, options = LOSSES[name], ROWS[name].args
    loss = kind(**options)
    loss.build(SIZES.facts())
    attributes = set(vars(loss))
    signals = fabricate(loss.signals)
    outcome(loss, fabricate(loss.signals, seed=4))
    with_parts = bool(loss.state_dict()) or any(True for _ in loss.children())
    if not kind.stateless:
        fresh = kind(**options)
        assert with_parts or repr(vars(fresh)) != repr(vars(loss)), f"{name} could be stateless"
        return
    assert not with_parts
    assert set(vars(loss)) - attributes <= {"signals"}
    torch.testing.assert_close(
        outcome(loss, signals), outcome(kind(**options), signals), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", STATELESS)
def test_function_and_class_give_the_same(name: str) -> None:
    function, kind, options = function_of(name), LOSSES[name], ROWS[name].args
    signals = fabricate(kind(**options).signals)
    expected = outcome(kind(**options), signals)
    by_keyword = outcome(function, signals, **options)
    torch.testing.assert_close(by_keyword, expected, rtol=0, atol=0)
    torch.manual_seed(3)
    by_position = function(*signals.values(), **options)
    torch.testing.assert_close(by_position, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", STATELESS)
def test_the_signature_is_that_of_the_class(name: str) -> None:
    parameters = inspect.signature(function_of(name)).parameters
    constructor = inspect.signature(LOSSES[name]).parameters
    options = {key: one for key, one in constructor.items() if one.kind is one.KEYWORD_ONLY}
    by_keyword = {key for key, one in parameters.items() if one.kind is one.KEYWORD_ONLY}
    assert by_keyword == set(options)
    assert all(parameters[key].default == one.default for key, one in options.items())
    assert [key for key in parameters if key not in by_keyword] == list(
        LOSSES[name](**ROWS[name].args).signals
    )


def test_names_follow_the_classes() -> None:
    names = {"kd_loss", "dkd_loss", "tf_nkd_loss", "rkd_loss", "at_loss", "task_loss", "dml_loss"}
    assert names <= set(dir(functional)) & set(functional.functions())
    assert functional.kd_loss is functional.functions()["kd_loss"]
    with pytest.raises(AttributeError, match="has no attribute 'fitnet_loss'"):
        _ = functional.fitnet_loss  # a connector is learned
    with pytest.raises(TypeError, match="KDLoss"):
        functional.kd_loss(torch.ones(1, 2), torch.ones(1, 2), tau=4)
