"""Batches in one piece: as sample by sample, through loader, preprocessor, networks and metrics."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, RepeatDataset, default_collate, pseudo_collate, sampler
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import PackInputs, RandomFlip
from mmpretrain.models import ClsDataPreprocessor, ClsHead, TimmClassifier
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from cls_kd.adapters.samples import BatchSamples, SampleBatch
from cls_kd.data import CIFAR100, BatchPreprocessor, RandomCropFlip
from cls_kd.data.in_memory import collate
from cls_kd.engine import DistillRunner
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from cls_kd.signals import TrainingTime
from cls_kd.signals.heads import criterion_of

COLORS = dict(mean=[129.3, 124.1, 112.4], std=[68.2, 65.4, 70.4], num_classes=100)


@pytest.fixture
def cifar(cifar100_root: Path) -> CIFAR100:
    return CIFAR100(str(cifar100_root), checksum=False, pipeline=[PackInputs()])


def one_by_one(cifar: CIFAR100, places: Sequence[int]) -> dict[str, Any]:
    return default_collate([cifar[place] for place in places])


def loader(dataset: Any, **options: Any) -> DataLoader:
    config = dict(
        batch_size=64,
        num_workers=0,
        sampler=dict(type=DefaultSampler, shuffle=True),
        dataset=dataset,
    )
    return DistillRunner.build_dataloader({**config, **options}, seed=3)


def same(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert torch.equal(given["inputs"], expected["inputs"])
    for one, other in zip(given["data_samples"], expected["data_samples"], strict=True):
        assert one.sample_idx == other.sample_idx
        for key in ("gt_label", "gt_score"):
            assert (key in one) == (key in other)
            if key in one:
                assert torch.equal(one.get(key), other.get(key))
                assert one.get(key).dtype == other.get(key).dtype


def test_a_batch_is_its_items(cifar: CIFAR100) -> None:
    places = [5, 0, 299, 17]
    batch = cifar.__getitems__(places)
    assert isinstance(batch["data_samples"], BatchSamples)
    assert batch["inputs"].dtype == torch.uint8
    same(batch, one_by_one(cifar, places))


@pytest.mark.parametrize("workers", [0, 1])
def test_the_loader_gives_whole_batches(workers: int, cifar: CIFAR100) -> None:
    batches = list(loader(cifar, num_workers=workers))
    assert [len(batch["data_samples"]) for batch in batches] == [64, 64, 64, 64, 44]
    seen = torch.cat([batch["data_samples"].index for batch in batches])
    assert sorted(seen.tolist()) == list(range(300))
    assert torch.equal(torch.cat([batch["inputs"] for batch in batches]), cifar.images[seen])
    labels = torch.cat([batch["data_samples"].labels for batch in batches])
    assert labels.tolist() == cifar.get_gt_labels()[seen].tolist()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda cifar: RepeatDataset(cifar, 2),
        lambda cifar: Subset(cifar, [3, 1, 2]),
        lambda cifar: Subset(RepeatDataset(cifar, 2), [3, 301, 2]),
    ],
    ids=["repeated", "subset", "subset of repeated"],
)
def test_inside_wrappers(wrap: Callable[[Any], Any], cifar: CIFAR100) -> None:
    wrapped = wrap(cifar)
    preprocessor = BatchPreprocessor(**COLORS, augment=RandomCropFlip())
    count = 0
    for batch in loader(wrapped):
        count += len(preprocessor(batch, True)["inputs"])
        index = SampleBatch(batch["inputs"], batch["data_samples"], 100).index
        assert torch.equal(batch["inputs"], cifar.images[index])
    assert count == len(wrapped)


def test_other_pipelines_go_sample_by_sample(cifar100_root: Path) -> None:
    cifar = CIFAR100(
        str(cifar100_root), checksum=False, pipeline=[RandomFlip(prob=1.0), PackInputs()]
    )
    batch = next(iter(loader(cifar)))
    assert isinstance(batch["data_samples"], list)
    places = [sample.sample_idx for sample in batch["data_samples"]]
    assert torch.equal(batch["inputs"], cifar.images[places].flip(-1))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"to_onehot": True},
        {"to_rgb": True},
        {"pad_size_divisor": 48},
        {"batch_augments": dict(augments=[dict(type="Mixup", alpha=1.0)])},
        {
            "batch_augments": dict(
                augments=[dict(type="CutMix", alpha=1.0), dict(type="Mixup", alpha=0.3)],
                probs=[0.5, 0.3],
            )
        },
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_the_preprocessor_gives_what_mmpretrains_gives(
    options: dict[str, Any], training: bool, cifar: CIFAR100
) -> None:
    places = list(range(40, 72))
    # mmpretrain writes into the list of probabilities.
    ours = BatchPreprocessor(**COLORS, **copy.deepcopy(options))
    theirs = ClsDataPreprocessor(**COLORS, **copy.deepcopy(options))
    for seed in range(3):
        results = []
        for preprocessor, data in (
            (ours, cifar.__getitems__(places)),
            (theirs, one_by_one(cifar, places)),
            (ours, one_by_one(cifar, places)),
        ):
            np.random.seed(seed)
            torch.manual_seed(seed)
            results.append(preprocessor(data, training))
        same(results[0], results[1])
        same(results[2], results[1])


def test_what_the_loader_gave_is_not_written_to(cifar: CIFAR100) -> None:
    batch = cifar.__getitems__([0, 1])
    floats = {**batch, "inputs": batch["inputs"].float()}
    before = floats["inputs"].clone()
    BatchPreprocessor(**COLORS)(floats, True)
    assert torch.equal(floats["inputs"], before)


def test_augmentation_is_for_training_and_before_normalization(cifar: CIFAR100) -> None:
    augment = RandomCropFlip()
    preprocessor = BatchPreprocessor(**COLORS, augment=dict(type="RandomCropFlip", padding=4))
    plain = BatchPreprocessor(**COLORS)
    places = [7, 3, 250]
    batch = cifar.__getitems__(places)
    moved = augment(batch["inputs"], torch.tensor(places))
    assert not torch.equal(moved, batch["inputs"])
    expected = plain({**batch, "inputs": moved})["inputs"]
    for data in (batch, one_by_one(cifar, places)):
        assert torch.equal(preprocessor(data, True)["inputs"], expected)
        assert torch.equal(preprocessor(data, False)["inputs"], plain(data)["inputs"])


def test_augmentation_says_what_it_needs(cifar: CIFAR100) -> None:
    preprocessor = BatchPreprocessor(**COLORS, augment=RandomCropFlip())
    with pytest.raises(UserError, match="pseudo_collate"):
        preprocessor(pseudo_collate([cifar[0], cifar[1]]), True)
    without = {"inputs": torch.zeros(1, 3, 4, 4), "data_samples": [DataSample().set_gt_label(0)]}
    with pytest.raises(UserError, match=r"each sample's index.*sample_idx"):
        preprocessor(without, True)
    with pytest.raises(UserError, match="index"):
        preprocessor({"inputs": torch.zeros(1, 3, 4, 4)}, True)
    with pytest.raises(UserError, match="num_classes"):
        BatchPreprocessor(to_onehot=True)(cifar.__getitems__([0]))


def epoch_of(dataset: Any, batch_size: int, time: TrainingTime) -> dict[int, Tensor]:
    """Every image of one epoch as a network would see it, by its place."""
    preprocessor = BatchPreprocessor(**COLORS, augment=RandomCropFlip())
    preprocessor.follow(time)
    seen = {}
    for batch in loader(dataset, batch_size=batch_size):
        images = preprocessor(batch, True)["inputs"]
        index = SampleBatch(images, batch["data_samples"], 100).index
        seen.update(zip(index.tolist(), images, strict=True))
    return seen


def test_neither_batch_size_nor_processes_change_an_image(
    cifar: CIFAR100, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = TrainingTime(seed=4, epoch=6, max_epochs=9)
    whole = epoch_of(cifar, 64, time)
    others = [epoch_of(cifar, 7, time)]
    for world in (2, 3):
        shares: dict[int, Tensor] = {}
        for rank in range(world):
            place = (rank, world)
            monkeypatch.setattr(sampler, "get_dist_info", lambda place=place: place)
            shares.update(epoch_of(cifar, 16, time))
        others.append(shares)
    for other in others:
        assert other.keys() == whole.keys() == set(range(300))
        assert all(torch.equal(other[place], image) for place, image in whole.items())


def test_signals(cifar: CIFAR100) -> None:
    places = [4, 4, 9, 200]
    data = cifar.__getitems__(places)
    one, other = (
        SampleBatch(torch.zeros(4, 3, 2, 2), samples, 100)
        for samples in (data["data_samples"], one_by_one(cifar, places)["data_samples"])
    )
    for name in ("labels", "targets", "index"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
        assert getattr(one, name).dtype == getattr(other, name).dtype
    scores = torch.rand(4, 100)
    mixed = SampleBatch(one.inputs, BatchSamples(one.labels, one.index, scores), 100)
    assert torch.equal(mixed.targets, scores)
    assert torch.equal(mixed.labels, scores.argmax(1))
    with pytest.raises(UserError, match="over 100 classes, the student has 7"):
        _ = SampleBatch(one.inputs, mixed.data_samples, 7).targets
    with pytest.raises(UserError, match="Labels out of range"):
        _ = SampleBatch(one.inputs, BatchSamples(torch.tensor([7]), torch.tensor([0])), 7).labels


class PerSample(ClsHead):
    """A criterion that looks at each sample."""

    def _get_loss(self, logits: Tensor, samples: Sequence[DataSample]) -> dict[str, Tensor]:
        each = [row[one.gt_label].sum() for row, one in zip(logits, samples, strict=True)]
        return {"loss": torch.stack(each).sum()}


def heads() -> dict[str, Any]:
    init_default_scope("cls_kd")
    smooth = dict(type="LabelSmoothLoss", label_smooth_val=0.1, mode="original")
    head = dict(type="LinearClsHead", num_classes=100, in_channels=4)
    return {
        "linear": MODELS.build(head),
        "smoothed": MODELS.build(dict(head, loss=smooth)),
        "per sample": PerSample(),
        "timm": TimmClassifier(model_name="test_vit", num_classes=100),
    }


@pytest.mark.parametrize("name", ["linear", "smoothed", "per sample", "timm"])
@pytest.mark.parametrize("mixed", [False, True])
def test_criteria_read_both(name: str, mixed: bool, cifar: CIFAR100) -> None:
    head = heads()[name]
    torch.manual_seed(0)
    logits = torch.randn(5, 100)
    samples = cifar.__getitems__(range(5))["data_samples"]
    if mixed:
        scores = torch.rand(5, 100).softmax(1)
        samples = BatchSamples(samples.labels, samples.index, scores)
    given = criterion_of(head, SampleBatch(torch.zeros(5, 3, 2, 2), samples, 100))(logits)
    assert torch.equal(given, head._get_loss(logits, list(samples))["loss"])


def test_hard_labels_of_a_training_step_make_no_object_a_sample(cifar: CIFAR100) -> None:
    batch = BatchPreprocessor(**COLORS)(cifar.__getitems__(range(5)), True)
    samples = batch["data_samples"]
    signals = SampleBatch(batch["inputs"], samples, 100)
    criterion_of(heads()["linear"], signals)(torch.randn(5, 100))
    assert [len(signals.labels), len(signals.index), len(signals.targets)] == [5, 5, 5]
    assert "samples" not in vars(samples)


def test_predictions_and_metrics(cifar: CIFAR100) -> None:
    """A head writes into the samples; metrics read them."""
    head = heads()["linear"]
    torch.manual_seed(0)
    features = torch.randn(30, 4)
    results = []
    places = range(30)
    for samples in (
        cifar.__getitems__(places)["data_samples"],
        one_by_one(cifar, places)["data_samples"],
    ):
        evaluator = Evaluator([dict(type="Accuracy", topk=(1, 50))])
        evaluator.process(head.predict((features,), samples), None)
        assert all("pred_score" in sample for sample in samples)
        results.append(evaluator.evaluate(30))
    assert results[0] == results[1]


def test_batch_samples_are_a_sequence() -> None:
    samples = BatchSamples(torch.tensor([3, 1]), torch.tensor([10, 20]))
    assert len(samples) == 2
    assert samples[1] is list(samples)[1]
    assert samples[-1].gt_label.tolist() == [1]
    assert [one.sample_idx for one in samples] == [10, 20]
    again = pickle.loads(pickle.dumps(samples))
    assert torch.equal(again.labels, samples.labels)
    moved = samples.to(torch.device("meta"))
    assert moved.labels.device.type == moved.index.device.type == "meta"
    assert moved.scores is None


@pytest.mark.parametrize("function", [default_collate, pseudo_collate])
def test_another_collate_function_is_explained(function: Any, cifar: CIFAR100) -> None:
    with pytest.raises(UserError, match="Leave `collate_fn` out"):
        next(iter(loader(cifar, collate_fn=dict(type=function))))


def test_collate_leaves_items_to_mmengine() -> None:
    items = [{"inputs": torch.ones(2)}, {"inputs": torch.zeros(2)}]
    assert torch.equal(collate(items)["inputs"], torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    batch = {"inputs": torch.ones(1)}
    assert collate(batch) is batch
