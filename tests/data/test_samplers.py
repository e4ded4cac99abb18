"""Batches that share half of their samples with the batch before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmpretrain.datasets.transforms import PackInputs
from torch.utils.data import SequentialSampler

from cls_kd.data import Digits, LastBatchSampler
from cls_kd.engine.runner import DistillRunner
from cls_kd.errors import UserError


@pytest.mark.parametrize(
    ("samples", "batches", "dropped"),
    [
        (8, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]], 0),
        (7, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6]], 1),
        (5, [[0, 1, 2, 3], [2, 3, 4]], 1),
        (4, [[0, 1, 2, 3]], 0),
        (3, [[0, 1, 2]], 1),
        (2, [[0, 1]], 1),
        (1, [[0]], 1),
        (0, [], 0),
    ],
)
def test_windows(samples: int, batches: list[list[int]], dropped: int) -> None:
    order = SequentialSampler(range(samples))
    sampler = LastBatchSampler(order, 4)
    assert list(sampler) == batches
    assert list(sampler) == batches
    assert len(sampler) == len(batches)
    full = LastBatchSampler(order, 4, drop_last=True)
    assert list(full) == batches[: len(batches) - dropped]
    assert len(full) == len(batches) - dropped


def test_an_endless_order() -> None:
    sampler = iter(LastBatchSampler(InfiniteSampler(range(6), shuffle=False), 4))
    assert [next(sampler) for _ in range(3)] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 0, 1]]


@pytest.mark.parametrize("batch_size", [0, 1, 7, 4.0])
def test_odd_batches_are_refused(batch_size: int) -> None:
    with pytest.raises(UserError, match="even number"):
        LastBatchSampler(range(10), batch_size)


def test_the_order_is_that_of_its_sampler_in_each_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shuffled by seed and epoch, and of each process its share."""
    for rank in range(2):
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda r=rank: (r, 2))
        order = DefaultSampler(range(10), shuffle=True, seed=3)
        sampler = LastBatchSampler(order, 2)
        seen = []
        for epoch in range(2):
            sampler.sampler.set_epoch(epoch)
            expected = list(order)
            assert list(sampler) == [expected[i : i + 2] for i in range(4)]
            seen.append(expected)
        assert seen[0] != seen[1]
        assert len(set(seen[0])) == 5


def test_a_loader_takes_it() -> None:
    loader = DistillRunner.build_dataloader(
        dict(
            dataset=Digits(labelled=20, pipeline=[dict(type=PackInputs)]),
            sampler=dict(type=DefaultSampler, shuffle=True),
            batch_sampler=dict(type=LastBatchSampler),
            batch_size=6,
        ),
        seed=0,
    )
    places = [[one.sample_idx for one in batch["data_samples"]] for batch in loader]
    assert len(loader) == len(places) == 6
    for before, batch in pairwise(places):
        assert batch[:3] == before[-3:]
