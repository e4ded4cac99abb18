"""Small synthetic data in the formats of CIFAR and CINIC, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cls_kd.data import synthetic


@pytest.fixture(scope="session")
def cifar100_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cifar100")
    synthetic.write_cifar100(root, train=300, test=200, seed=3)
    return root


@pytest.fixture(scope="session")
def cifar10_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cifar10")
    synthetic.write_cifar10(root, train=103, test=20, seed=3)
    return root


@pytest.fixture(scope="session")
def cinic10_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cinic10")
    synthetic.write_cinic10(root, train=30, test=20, seed=3)
    return root
