"""DOT gives the steps of its reference, and of SGD where its two momenta are one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cls_kd
from cls_kd.losses import FitNetLoss, KDLoss, TaskLoss
from cls_kd.optimizers import DOT
from tests.core.test_distiller import SHAPE, batch, network

FILES = sorted(Path(__file__).parent.glob("dot-*.npz"))


def totals(parameter: Tensor, task: Any, distillation: Any) -> dict[str, Tensor]:
    """Sums whose gradients are the given ones."""
    given = {"task": task, "distillation": distillation}
    return {name: (parameter * torch.as_tensor(value)).sum() for name, value in given.items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_steps_are_those_of_the_reference(file: Path) -> None:
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"]))
    parameter = nn.Parameter(torch.as_tensor(arrays["state.parameter"]))
    optimizer = DOT([parameter], **meta["args"])
    steps = zip(arrays["in.task_gradients"], arrays["in.kd_gradients"], strict=True)
    for place, (task, distillation) in enumerate(steps):
        optimizer.zero_grad()
        optimizer.backward(totals(parameter, task, distillation))
        optimizer.step()
        expected = arrays["out.parameter"][place]
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-12)
    assert len(FILES) == 2


def distiller() -> cls_kd.Distiller:
    losses = {"ce": TaskLoss(), "kd": KDLoss(), "fitnet": FitNetLoss(stage=1)}
    return cls_kd.Distiller(network(1), losses, network(2), input_shape=SHAPE)


def test_without_a_difference_it_is_sgd() -> None:
    """Also for parameters that one of the two groups does not reach."""
    images, labels = batch()
    ours = distiller()
    theirs = copy.deepcopy(ours)
    apart = DOT(ours.parameters(), lr=0.1, momentum=0.9, delta=0.0, weight_decay=1e-3)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(3):
        apart.zero_grad()
        apart.backward(ours.totals(ours.loss(images, labels)))
        apart.step()
        sgd.zero_grad()
        theirs.total(theirs.loss(images, labels)).backward()
        sgd.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_accumulated_gradients_are_those_of_the_whole_batch() -> None:
    images, labels = batch()
    whole = cls_kd.Distiller(
        network(1), {"ce": TaskLoss(), "kd": KDLoss()}, network(2), input_shape=SHAPE
    )
    parts = copy.deepcopy(whole)
    steps: list[tuple[cls_kd.Distiller, int]] = [(whole, 1), (parts, 2)]
    for model, count in steps:
        optimizer = DOT(model.parameters(), lr=0.1)
        for one, two in zip(images.chunk(count), labels.chunk(count), strict=True):
            found = model.totals(model.loss(one, two))
            optimizer.backward({name: value / count for name, value in found.items()})
        optimizer.step()
    torch.testing.assert_close(whole.state_dict(), parts.state_dict())


def test_the_momenta_are_saved() -> None:
    parameter = nn.Parameter(torch.ones(2))
    optimizer = DOT([parameter], lr=0.1)
    optimizer.backward(totals(parameter, [1.0, 2.0], [3.0, 4.0]))
    optimizer.step()
    other_parameter = nn.Parameter(parameter.detach().clone())
    other = DOT([other_parameter], lr=0.7)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, two in [(optimizer, parameter), (other, other_parameter)]:
        one.zero_grad()
        one.backward(totals(two, [0.0, 1.0], [1.0, 0.0]))
        one.step()
    assert torch.equal(parameter, other_parameter)


def test_the_group_of_a_term_can_be_chosen() -> None:
    losses: dict[str, Any] = {
        "ce": TaskLoss(),
        "kd": KDLoss(),
        "smooth": cls_kd.Term(KDLoss(temperature=1.0), group="task"),
        "other": dict(type="KDLoss", group="task"),
    }
    model = cls_kd.Distiller(network(1), losses, network(2), input_shape=SHAPE)
    terms = model.loss(*batch())
    found = model.totals(terms)
    assert set(found) == {"task", "distillation"}
    torch.testing.assert_close(found["distillation"], terms["kd.loss"])
    torch.testing.assert_close(sum(found.values()), model.total(terms))


def test_what_cannot_be_kept_apart_is_refused() -> None:
    images, labels = batch()
    model = cls_kd.Distiller(network(1), {"ce": TaskLoss()}, input_shape=SHAPE)
    optimizer = DOT(model.parameters(), lr=0.1)
    terms = model.loss(images, labels)
    with pytest.raises(cls_kd.UserError, match="no term is of the group 'distillation'"):
        optimizer.backward(model.totals(terms))
    with pytest.raises(cls_kd.UserError, match="a term is of the group 'tusk'"):
        optimizer.backward({"tusk": model.total(terms)})
    model.total(terms).backward()
    with pytest.raises(
        cls_kd.UserError, match=r"optimizer\.backward\(distiller\.totals\(terms\)\)"
    ):
        optimizer.step()
    with pytest.raises(cls_kd.UserError, match=r"momentum is 0\.95, delta 0\.075"):
        DOT(model.parameters(), lr=0.1, momentum=0.95)
