"""The preprocessor gives what mmpretrain's gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from cls_kd.data import BatchPreprocessor

COLORS = dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], to_rgb=True, num_classes=5)


def items() -> list[dict[str, Any]]:
    images = torch.randint(256, (6, 3, 4, 4), dtype=torch.uint8)
    return [
        dict(inputs=image, data_samples=DataSample().set_gt_label(place % 5))
        for place, image in enumerate(images)
    ]


def same(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert torch.equal(given["inputs"], expected["inputs"])
    for key in ("gt_label", "gt_score"):
        for one, other in zip(given["data_samples"], expected["data_samples"], strict=True):
            assert (key in one) == (key in other)
            assert key not in one or torch.equal(one.get(key), other.get(key))


@pytest.mark.parametrize("collate", [default_collate, pseudo_collate])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"to_onehot": True}], ids=["labels", "scores"])
def test_it_is_mmpretrains(collate: Any, training: bool, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    batch = items()
    torch.manual_seed(0)
    again = items()
    given = BatchPreprocessor(**COLORS, **options)(collate(batch), training)
    same(given, ClsDataPreprocessor(**COLORS, **options)(collate(again), training))


def test_images_without_labels_pass() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    given = BatchPreprocessor(**COLORS)({"inputs": images})
    assert given["data_samples"] is None
    assert given["inputs"].dtype == torch.float32


@pytest.mark.parametrize(
    "device",
    ["meta", pytest.param("cuda", marks=pytest.mark.gpu)],
)
def test_labels_travel_to_the_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    samples = [DataSample().set_gt_label([1, 3]), DataSample().set_gt_label(2)]
    batch = {"inputs": torch.zeros(2, 3, 4, 4, dtype=torch.uint8), "data_samples": samples}
    preprocessor = BatchPreprocessor(**COLORS).to(device)
    given = preprocessor(batch, True)
    assert given["inputs"].device.type == device
    assert [tuple(one.gt_label.shape) for one in given["data_samples"]] == [(2,), (1,)]
    assert {one.gt_label.device.type for one in given["data_samples"]} == {device}
