"""Singular vectors: their gradient is PyTorch's where that exists, and finite elsewhere."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cls_kd.functional import right_singular_vectors


def by_torch(matrices: Tensor, count: int) -> Tensor:
    vectors = torch.linalg.svd(matrices, full_matrices=False).Vh[:, :count].mT
    return vectors * vectors.sum(1, keepdim=True).sign()


@pytest.mark.parametrize("shape", [(2, 7, 4), (2, 4, 7)], ids=["tall", "wide"])
def test_vectors_and_gradient_are_torch_s(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours, theirs = (matrices.clone().requires_grad_() for _ in range(2))
    values, vectors = right_singular_vectors(ours, 3)
    expected = by_torch(theirs, 3)
    torch.testing.assert_close(values, torch.linalg.svdvals(matrices)[:, :3])
    torch.testing.assert_close(vectors, expected)
    slope = torch.arange(vectors.numel(), dtype=torch.float64).view(vectors.shape)
    (vectors * slope).sum().backward()
    (expected * slope).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "matrix",
    [torch.zeros(3, 4), torch.eye(4), torch.diag(torch.tensor([2.0, 0.0, 0.0]))],
    ids=["zero", "equal", "rank 1"],
)
def test_gradient_is_finite_where_singular_values_coincide(matrix: Tensor) -> None:
    matrices = matrix.unsqueeze(0).requires_grad_()
    _, vectors = right_singular_vectors(matrices, 2)
    vectors.square().sum().backward()
    assert vectors.isfinite().all()
    assert matrices.grad.isfinite().all()
    other = matrix.unsqueeze(0).detach().requires_grad_()
    by_torch(other, 2)[:, :, :1].sum().backward()
    assert not other.grad.isfinite().all(), "else nothing would be shown"
