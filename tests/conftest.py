"""What several folders of tests share: a clean message hub, and one small trained teacher."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub

from tests.distillers import tiny

_COUNT = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the suite."""
    parser.addoption(
        "--every-method",
        action="store_true",
        help="try every method where one of each kind is tried otherwise; takes minutes",
    )


@pytest.fixture(autouse=True)
def _no_runner_left() -> None:
    """A hub of its own: what an earlier runner left there (its progress) is no test's business."""
    MessageHub.get_instance(f"test_{next(_COUNT)}")


@pytest.fixture(autouse=True, scope="session")
def _all_is_garbage_in_the_end() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def _nothing_imported_is_garbage() -> None:
    """MMEngine collects garbage for every data set: half a second in all that is imported.

    Hence a collection looks at what the tests of this module have made, and at nothing else.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def digits_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A digits teacher whose weights and batch statistics are not its initial ones."""
    torch.manual_seed(7)
    network = tiny.build(tiny.digits_cnn(widths=(8, 8, 16)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):
        loss = network.loss(*tiny.batch(16))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("teacher") / "digits_teacher.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.fixture(autouse=True, scope="session")
def _workers_end_at_once() -> None:
    """After an error in a worker, a loader waits five seconds for the worker to end."""
    torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.2
