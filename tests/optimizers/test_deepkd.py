"""DeepKD's three momenta, by hand and by SGD; tests/trajectories compares it with its reference."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import cls_kd
from cls_kd.losses import DeepKDNonTargetLoss, DeepKDTargetLoss, FitNetLoss, TaskLoss
from cls_kd.optimizers import DeepKD
from tests.core.test_distiller import SHAPE, batch, network

MOMENTA = {"task": 0.975, "non_target": 0.95, "target": 0.825}


def distiller() -> cls_kd.Distiller:
    losses = {
        "ce": TaskLoss(),
        "target": DeepKDTargetLoss(),
        "non_target": DeepKDNonTargetLoss(),
        "fitnet": cls_kd.Term(FitNetLoss(stage=1), group="non_target"),
    }
    return cls_kd.Distiller(network(1), losses, network(2), input_shape=SHAPE)


def test_steps_by_hand() -> None:
    """One number; weight decay is taken after the moves by the other two gradients."""
    parameter = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    optimizer = DeepKD([parameter], lr=0.1, weight_decay=0.01)
    expected = 1.0
    buffers: dict[str, float] = {}
    for step in range(3):
        gradients = {"task": 1.0 + step, "non_target": -2.0, "target": 0.5 * step}
        totals: dict[str, Tensor] = {name: parameter * g for name, g in gradients.items()}
        optimizer.zero_grad()
        optimizer.backward(totals)
        optimizer.step()
        for name, gradient in gradients.items():
            decay = 0.01 * expected if name == "target" else 0.0
            buffers[name] = MOMENTA[name] * buffers.get(name, 0.0) + gradient + decay
            expected -= 0.1 * buffers[name]
        assert parameter.item() == pytest.approx(expected, rel=1e-12)


def test_without_differences_it_is_sgd() -> None:
    """Also for a connector, which one of the three groups reaches."""
    images, labels = batch()
    ours = distiller()
    theirs = copy.deepcopy(ours)
    deltas = dict(delta_task=0.0, delta_target=0.0, delta_non_target=0.0)
    apart = DeepKD(ours.parameters(), lr=0.1, momentum=0.9, **deltas)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        apart.zero_grad()
        apart.backward(ours.totals(ours.loss(images, labels)))
        apart.step()
        sgd.zero_grad()
        theirs.total(theirs.loss(images, labels)).backward()
        sgd.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_a_parameter_without_a_gradient_of_the_target_decays_as_well() -> None:
    reached, other = (nn.Parameter(torch.ones(())) for _ in range(2))
    optimizer = DeepKD([reached, other], lr=0.1, weight_decay=0.5)
    optimizer.backward({"task": reached + other, "non_target": reached, "target": reached})
    optimizer.step()
    assert other.item() == pytest.approx(1 - 0.1 * (1 + 0.5))
    assert reached.item() == pytest.approx(0.8 - 0.1 * (1 + 0.5 * 0.8))


def test_options_that_make_no_sense_are_refused() -> None:
    parameter = nn.Parameter(torch.ones(()))
    with pytest.raises(cls_kd.UserError, match=r"momentum is 0\.9, delta_non_target 0\.1"):
        DeepKD([parameter], delta_non_target=0.1)
    with pytest.raises(cls_kd.UserError, match="lr and weight_decay must be 0 or more"):
        DeepKD([parameter], weight_decay=-1.0)
    with pytest.raises(cls_kd.UserError, match="no term is of the group 'target'"):
        DeepKD([parameter]).backward({"task": parameter, "non_target": parameter})
    with pytest.raises(cls_kd.UserError, match="DeepKD takes no closure"):
        DeepKD([parameter]).step(lambda: 0.0)
