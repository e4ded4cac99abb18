"""Every crop and flip is the one made by hand; all are equally likely; only the key decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from cls_kd.data import RandomCropFlip
from cls_kd.data.crop_flip import crop_flip, draw
from cls_kd.errors import UserError
from cls_kd.registry import TRANSFORMS
from cls_kd.signals import TrainingTime


def at(**time: int) -> TrainingTime:
    return TrainingTime(**{"max_epochs": 9, **time})


def by_hand(image: Tensor, down: int, right: int, flip: bool, padding: int) -> np.ndarray:
    height, width = image.shape[-2:]
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
    crop = padded[:, down : down + height, right : right + width]
    return crop[:, :, ::-1] if flip else crop


def splitmix(word: int) -> int:
    """SplitMix64 with Python's own integers."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


@pytest.mark.parametrize(("padding", "size"), [(4, (32, 32)), (2, (5, 9)), (0, (4, 4))])
def test_each_choice_is_the_crop_made_by_hand(padding: int, size: tuple[int, int]) -> None:
    offsets = 2 * padding + 1
    choices = torch.arange(2 * offsets**2)
    torch.manual_seed(0)
    images = torch.randint(256, (len(choices), 3, *size), dtype=torch.uint8)
    flip, down, right = choices // offsets**2 == 1, choices // offsets % offsets, choices % offsets
    given = crop_flip(images, down, right, flip, padding)
    assert given.dtype == torch.uint8
    for place, image in enumerate(images):
        chosen = int(down[place]), int(right[place]), bool(flip[place])
        assert np.array_equal(given[place].numpy(), by_hand(image, *chosen, padding)), chosen


def test_all_162_are_equally_likely() -> None:
    """Which one was taken is found by looking at the image that comes out."""
    padding, size = 4, 32
    torch.manual_seed(1)
    one = torch.randint(1, 256, (3, size, size), dtype=torch.uint8)
    known = {
        by_hand(one, down, right, flip, padding).tobytes(): (down, right, flip)
        for down in range(9)
        for right in range(9)
        for flip in (False, True)
    }
    assert len(known) == 162
    counts = dict.fromkeys(known.values(), 0)
    augment = RandomCropFlip(padding)
    augment.time = at(seed=5)
    total = 162 * 60
    for index in torch.arange(total).split(540):
        for image in augment(one.expand(len(index), -1, -1, -1), index):
            counts[known[image.numpy().tobytes()]] += 1
    for seen, expected in (
        (list(counts.values()), total / 162),
        ([sum(n for key, n in counts.items() if key[0] == k) for k in range(9)], total / 9),
        ([sum(n for key, n in counts.items() if key[1] == k) for k in range(9)], total / 9),
        ([sum(n for key, n in counts.items() if key[2] == k) for k in (0, 1)], total / 2),
    ):
        statistic = sum((count - expected) ** 2 / expected for count in seen)
        assert 0.001 < chi2.sf(statistic, len(seen) - 1) < 0.999


def test_epochs_seeds_and_neighbors_are_independent() -> None:
    index = torch.arange(20000)
    drawn = {}
    for seed in range(3):
        for epoch in range(3):
            drawn[seed, epoch] = draw(index, 162, at(seed=seed, epoch=epoch))
    series = list(drawn.values())
    pairs = [(a, b) for n, a in enumerate(series) for b in series[:n]]
    pairs += [(one[1:], one[:-1]) for one in series]
    for one, other in pairs:
        # Equal in a share of 1/162, give or take four standard deviations.
        assert abs((one == other).float().mean().item() - 1 / 162) < 4 * (1 / 162 / 20000) ** 0.5


def test_batch_size_and_order_change_nothing() -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (60, 3, 32, 32), dtype=torch.uint8)
    augment = RandomCropFlip()
    augment.time = at(seed=1, epoch=2)
    whole = augment(images, torch.arange(60))
    order = torch.randperm(60)
    for size in (1, 7, 60):
        parts = [augment(images[rows], rows) for rows in order.split(size)]
        assert torch.equal(torch.cat(parts), whole[order])
    torch.manual_seed(99)
    assert torch.equal(augment(images, torch.arange(60)), whole)


def test_the_draws_never_change() -> None:
    """A run that is resumed with a later version goes on with the same crops."""
    places = [0, 1, 49999]
    key = splitmix(splitmix(7) + 11)
    expected = [(splitmix(key + place) % 2**63) % 162 for place in places]
    assert (
        draw(torch.tensor(places), 162, at(seed=7, epoch=11)).tolist() == expected == [131, 66, 148]
    )


def test_one_epoch_or_steps_alone_count_the_steps() -> None:
    index = torch.arange(50)
    first = draw(index, 162, at(max_epochs=1, epoch=0, step=3))
    assert not torch.equal(draw(index, 162, at(max_epochs=1, epoch=0, step=4)), first)
    assert torch.equal(draw(index, 162, at(max_epochs=2, epoch=3, step=9)), first)


def test_it_runs_without_looking_at_values() -> None:
    """Nothing waits for a device: the meta device has no values to look at."""
    images = torch.empty(5, 3, 32, 32, dtype=torch.uint8, device="meta")
    given = RandomCropFlip()(images, torch.arange(5, device="meta"))
    assert given.shape == images.shape


def test_options() -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (200, 3, 8, 8), dtype=torch.uint8)
    same = TRANSFORMS.build(dict(type="RandomCropFlip", padding=0, flip=False))
    assert torch.equal(same(images, torch.arange(200)), images)
    flipped = RandomCropFlip(0)(images, torch.arange(200)).eq(images.flip(-1)).flatten(1).all(1)
    assert 70 < flipped.sum() < 130
    assert repr(same) == "RandomCropFlip(padding=0, flip=False)"
    with pytest.raises(UserError, match="padding=-1"):
        RandomCropFlip(-1)
