"""Parts of a student that are frozen by name."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper

from cls_kd.distillers import Distiller
from cls_kd.errors import UserError
from cls_kd.losses import TaskLoss
from tests.distillers import tiny


def distiller(*patterns: str) -> Distiller:
    torch.manual_seed(0)
    student = tiny.build(tiny.digits_cnn(widths=(8, 8, 16)))
    return Distiller(student, {"ce": TaskLoss()}, student_frozen=patterns, input_shape=(1, 8, 8))


def changed(model: Distiller) -> set[str]:
    """Entries of the student's state that two steps with weight decay and momentum change."""
    before = copy.deepcopy(model.student.state_dict())
    wrapper = OptimWrapper(
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    )
    model.train()
    for _ in range(2):
        inputs, samples = tiny.batch(8)
        wrapper.update_params(sum(model(inputs, samples, mode="loss").values()))
    after = model.student.state_dict()
    return {name for name in after if not torch.equal(before[name], after[name])}


def names_below(model: Distiller, prefix: str) -> set[str]:
    return {name for name in model.student.state_dict() if name.startswith(prefix)}


def test_a_frozen_module_keeps_weights_and_statistics() -> None:
    model = distiller()
    every = changed(model)
    first = next(name for name, _ in model.student.backbone.named_children())
    below = names_below(model, f"backbone.{first}")
    assert any("running_mean" in name for name in below), "or nothing is shown of statistics"
    assert below & every
    frozen = distiller(f"backbone.{first}")
    assert changed(frozen) == every - below
    module = frozen.student.get_submodule(f"backbone.{first}")
    assert not any(part.training for part in module.modules())
    assert frozen.student.head.training


def test_a_normalization_layer_of_frozen_parameters_keeps_its_statistics() -> None:
    model = distiller("backbone.*.weight", "backbone.*.bias")
    assert changed(model) == {name for name in changed(distiller()) if name.startswith("head")}


def test_copies_stay_frozen() -> None:
    """An averaged model (EMA) is a copy."""
    model = copy.deepcopy(distiller("backbone")).train()
    assert not model.student.backbone.training
    assert model.student.head.training


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"'backbon' matches no module .* mean 'backbone'"):
        distiller("backbon")
