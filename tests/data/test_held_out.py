"""The part of the training images that is kept out of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cls_kd.data import CIFAR10, Digits, held_out_split, synthetic
from cls_kd.data.held_out import held_out
from cls_kd.errors import UserError


def test_of_each_class_the_last_of_every_so_many_is_held_out() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 0])
    assert held_out(labels, 3).tolist() == [False, False, False, False, True, True, False]


def test_a_class_that_is_too_small_is_refused() -> None:
    with pytest.raises(UserError, match="class 1 has 2"):
        held_out(np.array([0, 0, 0, 1, 1]), 3)


def test_both_parts_are_the_whole_and_share_no_image(tmp_path: Path) -> None:
    synthetic.write_cifar10(tmp_path, train=400, test=20, seed=3)
    config = {"type": "CIFAR10", "data_root": str(tmp_path), "checksum": False}
    whole = CIFAR10(str(tmp_path), checksum=False)
    rest, held = (held_out_split(config, part) for part in ("rest", "held_out"))
    pixels = [whole.images[row].numpy().tobytes() for row in whole.data_list]
    parts = [
        [part.images[row].numpy().tobytes() for row in part.data_list] for part in (rest, held)
    ]
    assert sorted(parts[0] + parts[1]) == sorted(pixels)
    assert not set(parts[0]) & set(parts[1])
    assert set(held.get_gt_labels()) == set(range(10))
    assert [rest[place]["sample_idx"] for place in (0, len(rest) - 1)] == [0, len(rest) - 1]


def test_listed_items_are_split_as_well_and_names_need_no_data() -> None:
    rest, held = (held_out_split(Digits(), part) for part in ("rest", "held_out"))
    assert len(rest) + len(held) == 1135
    assert len(held) == sum(count // 10 for count in np.bincount(Digits().get_gt_labels()))
    assert held_out_split({"type": "Digits"}, lazy_init=True).metainfo["classes"][0] == "zero"


def test_what_knows_no_labels_is_refused() -> None:
    class Unlabeled:
        def full_init(self) -> None: ...

    with pytest.raises(UserError, match="get_gt_labels"):
        held_out_split(Unlabeled())
