"""A long evaluation says how long it will take."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from cls_kd.engine import evaluate


def test_the_remaining_time_is_said_where_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 6.0, 12.0, 18.0, 24.0])
    monkeypatch.setattr(evaluate.time, "monotonic", lambda: next(clock))
    loader = DataLoader(TensorDataset(torch.arange(5)), batch_size=1)
    said: list[str] = []
    batches = list(evaluate.with_remaining_time(loader, said.append))
    assert [int(one[0]) for one in batches] == [0, 1, 2, 3, 4]
    assert said == ["2 of 5 batches, 18 s left", "4 of 5 batches, 6 s left"]
