"""Properties of every registered loss. A new loss adds one row to its file in ``rows``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cls_kd import losses
from cls_kd.core.terms import build_loss, build_terms
from cls_kd.errors import UserError
from cls_kd.losses import LOSSES, DistillLoss
from cls_kd.registry import MODELS
from cls_kd.signals import VOCABULARY, TrainingTime

from .fabricate import SIZES, fabricate, leaves
from .rows import ROWS

every_loss = pytest.mark.parametrize("name", list(ROWS))


def make(name: str, **overrides: Any) -> DistillLoss:
    torch.manual_seed(0)
    loss = LOSSES[name](**(ROWS[name].args | overrides))
    loss.build(SIZES.facts())
    loss.train()
    if ROWS[name].remembers:
        loss(**fabricate(loss.signals, seed=5))
    return loss


def total(result: Tensor | dict[str, Tensor]) -> Tensor:
    if isinstance(result, Tensor):
        return result
    terms = [value for key, value in result.items() if "loss" in key]  # the rest are figures
    return torch.stack(terms).sum()


def as_leaf(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(as_leaf(item) for item in value)
    return value.detach().clone().requires_grad_()


def test_every_loss_has_a_row() -> None:
    assert set(LOSSES) == set(ROWS)
    assert set(losses.__all__) == {*LOSSES, "LOSSES", "DistillLoss"}
    assert all(MODELS.get(name) is loss for name, loss in LOSSES.items()), "registered in MMEngine"


@every_loss
def test_signals_are_in_the_vocabulary(name: str) -> None:
    signals = make(name).signals
    assert signals
    assert set(signals) <= set(VOCABULARY)


@every_loss
def test_gradient_reaches_the_student_and_every_parameter(name: str) -> None:
    loss = make(name)
    signals = fabricate(loss.signals)
    value = total(loss(**signals))
    assert value.shape == ()
    assert value.isfinite()
    value.backward()
    student = leaves(signals, "student")
    assert student
    # FitNet asks for all stages and reads one: some of a signal's gradients may be missing.
    for signal in {leaf.split(".")[0] for leaf in student} - set(ROWS[name].constants):
        gradients = [t.grad for leaf, t in student.items() if leaf.startswith(f"{signal}.")]
        assert any(g is not None and g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
    for parameter_name, parameter in loss.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@every_loss
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    """Also where a loss is used alone and nobody detached the teacher's signals for it."""
    loss = make(name)
    signals = fabricate(loss.signals)
    total(loss(**signals)).backward()
    for leaf, tensor in leaves(signals, "teacher").items():
        assert tensor.grad is None, leaf


@every_loss
@pytest.mark.parametrize("scale", [50.0, 500.0])
def test_large_logits_stay_finite(name: str, scale: float) -> None:
    loss = make(name)
    signals = fabricate(loss.signals)
    logits = {
        "student_logits",
        "teacher_logits",
        "peer_logits",
        "peer_targets",
        "ensemble_logits",
    } | {"view_logits"}
    for signal in logits & set(signals):
        signs = torch.where(signals[signal] > 0, scale, -scale)
        signals[signal] = signs.detach().requires_grad_()
    value = total(loss(**signals))
    value.backward()
    assert value.isfinite()
    for leaf, tensor in leaves(signals, "student").items():
        assert tensor.grad is None or tensor.grad.isfinite().all(), leaf


@every_loss
def test_large_signals_stay_finite(name: str) -> None:
    loss = make(name)
    signals = fabricate(loss.signals, scale=100.0)
    value = total(loss(**signals))
    value.backward()
    assert value.isfinite()
    for parameter in loss.parameters():
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.zero_at_equality])
def test_zero_where_the_student_is_the_teacher(name: str) -> None:
    loss = make(name)
    signals = fabricate(loss.signals)
    for signal in signals:
        if signal.startswith("student_"):
            signals[signal] = as_leaf(signals[signal.replace("student_", "teacher_")])
    value = total(loss(**signals))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    for leaf, tensor in leaves(signals, "student").items():
        assert tensor.grad.abs().max() < 1e-5, leaf
    away = fabricate(loss.signals, seed=1)
    assert total(loss(**away)).item() > 1e-4, "else zero would mean nothing"


@pytest.mark.parametrize(
    ("name", "signal", "change"),
    [
        pytest.param(name, signal, change, id=f"{name}-{signal}-{change.__name__}")
        for name, row in ROWS.items()
        for signal, changes in row.invariant.items()
        for change in changes
    ],
)
def test_invariances(name: str, signal: str, change: Callable[[Tensor], Tensor]) -> None:
    loss = make(name)
    signals = fabricate(loss.signals)
    changed = signals | {signal: change(signals[signal])}
    expected = total(loss(**signals)).item()
    assert total(loss(**changed)).item() == pytest.approx(expected, rel=1e-4)


@every_loss
@pytest.mark.parametrize("autocast", [False, True], ids=["bf16", "bf16-autocast"])
def test_half_precision_is_computed_in_float32(name: str, autocast: bool) -> None:
    def half(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(half(item) for item in value)
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value.detach().to(torch.bfloat16) if floating else value

    def full(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(full(item) for item in value)
        return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value

    halves = {k: half(v) for k, v in fabricate(make(name).signals).items()}
    expected = total(make(name)(**{k: full(v) for k, v in halves.items()}))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        actual = total(make(name)(**halves))
    assert actual.dtype == torch.float32
    assert actual.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.waits])
def test_no_step_waits_for_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device there are no numbers: `.item()`, `if tensor`, boolean masks all raise."""
    monkeypatch.setattr("cls_kd.losses.base._device_type", lambda signals: "cpu")  # for autocast

    def meta(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(meta(item) for item in value)
        if isinstance(value, Tensor):
            return value.detach().to("meta").requires_grad_(value.requires_grad)
        return value

    loss = make(name).to("meta")
    signals = fabricate(loss.signals)
    value = total(loss(**{key: meta(value) for key, value in signals.items()}))
    value.backward()
    assert value.device.type == "meta"


@every_loss
def test_state_dict_round_trip(name: str) -> None:
    trained, fresh = make(name), make(name)
    signals = fabricate(trained.signals)
    total(trained(**signals))  # a bank and running statistics move
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1)
    result = fresh.load_state_dict(trained.state_dict(), strict=True)
    assert not result.missing_keys
    torch.manual_seed(1)  # masks are drawn
    expected = total(trained.eval()(**signals)).item()
    torch.manual_seed(1)
    assert total(fresh.eval()(**signals)).item() == expected


@every_loss
def test_unknown_words_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match="loss_weight"):
        make(name, loss_weight=1.0)
    loss = make(name)
    with pytest.raises(TypeError, match="surprise"):
        loss(**fabricate(loss.signals), surprise=1)


@every_loss
def test_weight_and_teacher_are_taken_out_of_the_config(name: str) -> None:
    weight = dict(type="LinearWarmup", until=0.5, value=3.0)
    config = dict(type=name, **ROWS[name].args, weight=weight, teacher="big")
    (term,) = build_terms({"x": config}, build_loss).values()
    assert term.weight(TrainingTime(step=1, max_steps=4)) == pytest.approx(1.5)
    assert term.teacher == "big"
    assert type(term.loss).__name__ == name


@every_loss
def test_signals_by_position(name: str) -> None:
    loss, same = make(name), make(name)
    signals = fabricate(loss.signals)
    torch.manual_seed(1)  # masks are drawn
    by_position = total(loss(*(signals[name] for name in loss.signals))).item()
    torch.manual_seed(1)
    assert by_position == total(same(**signals)).item()
    with pytest.raises(TypeError, match="by position and"):
        loss(*signals.values(), None, **signals)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        pytest.param(name, wrong, id=f"{name}-{wrong}")
        for name, row in ROWS.items()
        for wrong in row.wrong
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        make(name, **wrong)


@every_loss
def test_docstring_names_the_paper(name: str) -> None:
    """Tables of methods are made from the first line and the line that begins with 'Paper:'."""
    lines = (MODELS.get(name).__doc__ or "").splitlines()
    assert lines[0].endswith(".")
    papers = [line.strip() for line in lines if line.strip().startswith("Paper: ")]
    assert len(papers) == 1
