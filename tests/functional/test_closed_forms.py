"""Shared tensor mathematics: closed forms, other libraries, derivatives by finite differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import cls_kd.functional as functional


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


LABELS = torch.tensor([0, 2, 1])
TEACHER = normal(3, 4, seed=1)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        pytest.param(lambda x: functional.softened_kl(x, TEACHER, 3.0), (3, 4), id="kl"),
        pytest.param(
            lambda x: functional.softened_cross_entropy(x, TEACHER, 3.0), (3, 4), id="entropy"
        ),
        pytest.param(lambda x: functional.split_target(x, LABELS), (3, 4), id="split_target"),
        pytest.param(lambda x: functional.decouple(x, LABELS), (3, 4), id="decouple"),
        pytest.param(lambda x: functional.exchange(x, LABELS, LABELS + 1), (3, 4), id="exchange"),
        pytest.param(
            lambda x: functional.subset_kl_each(x, TEACHER, TEACHER > 0, 3.0), (3, 4), id="subset"
        ),
        pytest.param(lambda x: functional.pearson(x, TEACHER, 0), (3, 4), id="pearson_columns"),
        pytest.param(lambda x: functional.pearson(x, TEACHER, 1), (3, 4), id="pearson_rows"),
        pytest.param(functional.standardize, (3, 4), id="standardize"),
        pytest.param(functional.attention_map, (2, 3, 2, 2), id="attention_map"),
        pytest.param(lambda x: functional.match_size(x, x[..., :2]), (1, 2, 4, 4), id="match_size"),
        pytest.param(functional.pairwise_distances, (4, 3), id="pairwise_distances"),
        pytest.param(functional.triplet_cosines, (4, 3), id="triplet_cosines"),
    ],
)
def test_derivatives(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    assert torch.autograd.gradcheck(function, normal(*shape).requires_grad_())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_by_hand(temperature: float) -> None:
    student, teacher = normal(3, 4), TEACHER
    expected = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = ([math.exp(z / temperature) for z in row] for row in (t, s))
        p, q = [a / sum(p) for a in p], [b / sum(q) for b in q]
        expected += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    actual = functional.softened_kl(student, teacher, temperature).item()
    assert actual == pytest.approx(temperature**2 * expected / 3)


def test_cross_entropy_is_kl_plus_the_teachers_entropy() -> None:
    kl = functional.softened_kl(normal(3, 4), TEACHER, 2.0)
    cross = functional.softened_cross_entropy(normal(3, 4), TEACHER, 2.0)
    own = functional.softened_cross_entropy(TEACHER, TEACHER, 2.0)
    torch.testing.assert_close(cross, kl + own)


def test_split_target_loses_nothing() -> None:
    values = normal(3, 4)
    target, rest = functional.split_target(values, LABELS)
    for row in range(3):
        label = LABELS[row].item()
        assert target[row].item() == values[row, label].item()
        assert rest[row].tolist() == [values[row, k].item() for k in range(4) if k != label]


def test_pearson_is_numpys() -> None:
    a, b = normal(3, 6), normal(3, 6, seed=1)
    expected = [np.corrcoef(a[row], b[row])[0, 1] for row in range(3)]
    assert functional.pearson(a, b, dim=1).tolist() == pytest.approx(expected)
    torch.testing.assert_close(
        functional.pearson(a.t(), b.t(), dim=0), functional.pearson(a, b, dim=1)
    )


def test_distances_are_cdist() -> None:
    points = normal(5, 3)
    torch.testing.assert_close(functional.pairwise_distances(points), torch.cdist(points, points))


def test_cosines_by_hand() -> None:
    points = normal(4, 3)
    cosines = functional.triplet_cosines(points)
    for i, j, k in itertools.product(range(4), repeat=3):
        if i in (j, k):
            assert cosines[i, j, k] == 0
        else:
            expected = F.cosine_similarity(points[j] - points[i], points[k] - points[i], dim=0)
            torch.testing.assert_close(cosines[i, j, k], expected)


def test_standardize_and_a_constant_row() -> None:
    rows = functional.standardize(normal(3, 5) * 100 + 7)
    torch.testing.assert_close(rows.mean(1), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(rows.std(1), torch.ones(3, dtype=torch.float64))
    constant = torch.ones(1, 5, requires_grad=True)
    functional.standardize(constant).square().sum().backward()
    assert constant.grad.isfinite().all()


def test_attention_maps_have_length_one() -> None:
    maps = functional.attention_map(normal(2, 3, 4, 5))
    assert maps.shape == (2, 20)
    torch.testing.assert_close(maps.norm(dim=1), torch.ones(2, dtype=torch.float64))
    assert functional.attention_map(torch.zeros(1, 2, 3, 3)).abs().max() == 0


def test_match_size_is_average_pooling_and_leaves_equal_sizes_alone() -> None:
    large, small = normal(1, 2, 8, 8), normal(1, 3, 2, 4)
    a, b = functional.match_size(large, small)
    assert b is small
    torch.testing.assert_close(a, F.avg_pool2d(large, (4, 2)))
    again, pooled = functional.match_size(small, large)
    assert again is small
    torch.testing.assert_close(pooled, a)


def test_hash_spreads_counters() -> None:
    words = functional.hash_integers(torch.arange(4096))
    assert len(words.unique()) == 4096
    for bit in range(64):
        ones = ((words >> bit) & 1).sum().item()
        assert abs(ones - 2048) < 5 * 32, bit
