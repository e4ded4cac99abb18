"""What comes with the data: hard, smoothed and mixed labels, places in the data set, time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from torch import Tensor

from cls_kd.adapters.samples import SampleBatch
from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss
from cls_kd.signals import Batch, NetworkSource, TrainingTime
from cls_kd.signals.heads import classify_with, criterion_of
from tests.distillers import tiny


def preprocessed(count: int = 8, **options: object) -> Batch:
    preprocessor = ClsDataPreprocessor(
        mean=[128.0], std=[60.0], num_classes=tiny.CLASSES, **options
    )
    data = preprocessor(tiny.data(count), training=True)
    return SampleBatch(data["inputs"], data["data_samples"], tiny.CLASSES)


def test_hard_labels() -> None:
    batch = SampleBatch(tiny.images(3), tiny.samples([4, 0, 9], first=5), tiny.CLASSES)
    assert batch.labels.tolist() == [4, 0, 9]
    assert batch.labels.dtype == torch.int64
    assert torch.equal(batch.targets, F.one_hot(torch.tensor([4, 0, 9]), 10).float())
    assert batch.index.tolist() == [5, 6, 7]
    assert batch.index.dtype == torch.int64


@pytest.mark.parametrize("kind", ["Mixup", "CutMix"])
def test_mixed_labels(kind: str) -> None:
    batch = preprocessed(batch_augments=dict(augments=dict(type=kind, alpha=1.0)))
    assert batch.targets.shape == (8, tiny.CLASSES)
    assert torch.allclose(batch.targets.sum(1), torch.ones(8))
    mixed = batch.targets.max(1).values < 1
    assert mixed.any()
    assert torch.equal(batch.labels, batch.targets.argmax(1))
    hard = F.one_hot(torch.tensor([i * 3 % 10 for i in range(8)]), 10).float()
    # Each row is lambda * own + (1 - lambda) * another's.
    share = batch.targets[mixed].max(1).values.max()
    own = (batch.targets[mixed] * hard[mixed]).sum(1)
    assert torch.isclose(own, share).logical_or(torch.isclose(own, 1 - share)).all()


def test_smoothed_labels() -> None:
    batch = preprocessed(batch_augments=dict(augments=[tiny_smoothing(0.2)]))
    expected = F.one_hot(torch.tensor([i * 3 % 10 for i in range(8)]), 10) * 0.8 + 0.02
    assert torch.allclose(batch.targets, expected)
    assert batch.labels.tolist() == [i * 3 % 10 for i in range(8)]


def tiny_smoothing(epsilon: float) -> object:
    from cls_kd.data import LabelSmoothing

    return LabelSmoothing(epsilon)


class Sees(DistillLoss):
    """Keeps what it is given."""

    def forward(
        self,
        student_logits: Tensor,
        labels: Tensor,
        targets: Tensor,
        student_criterion: Callable[[Tensor], Tensor],
    ) -> Tensor:
        self.labels, self.targets = labels, targets
        self.task = student_criterion(student_logits)
        self.expected = -(targets * student_logits.log_softmax(1)).sum(1).mean()
        return student_logits.sum() * 0


def test_every_loss_sees_the_mixed_labels() -> None:
    augment = dict(augments=dict(type="Mixup", alpha=1.0))
    first, second = Sees(), Sees()
    model = tiny.distiller(
        {"a": first, "b": second},
        data_preprocessor=dict(
            mean=[128.0], std=[60.0], num_classes=tiny.CLASSES, batch_augments=augment
        ),
    )
    tiny.step(model, tiny.data(8))
    assert (first.targets.max(1).values < 1).any()
    assert torch.equal(first.targets, second.targets)
    assert torch.equal(first.labels, first.targets.argmax(1))
    assert torch.allclose(first.task, first.expected, atol=1e-6)


@pytest.mark.parametrize("wrong", [[0, 10], [0, 57]])
def test_labels_out_of_range_are_refused(wrong: list[int]) -> None:
    batch = SampleBatch(tiny.images(2), tiny.samples(wrong), tiny.CLASSES)
    with pytest.raises(UserError, match=f"labels from 0 to {wrong[1]}, the student has 10"):
        _ = batch.labels


def test_distributions_over_other_classes_are_refused() -> None:
    batch = SampleBatch(tiny.images(2), tiny.soft(torch.eye(7)[:2]), tiny.CLASSES)
    with pytest.raises(UserError, match="over 7 classes, the student has 10"):
        _ = batch.targets


def test_a_missing_index_is_explained() -> None:
    batch = SampleBatch(tiny.images(1), [DataSample().set_gt_label(1)], tiny.CLASSES)
    with pytest.raises(UserError, match="sample_idx"):
        _ = batch.index


def test_time_is_zero_without_a_training() -> None:
    batch = SampleBatch(tiny.images(1), tiny.samples([0]), tiny.CLASSES)
    assert (batch.epoch, batch.progress) == (0, 0.0)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.0), (5, 0.25), (20, 1.0), (25, 1.0)])
def test_progress_follows_the_training_time(step: int, expected: float) -> None:
    time = TrainingTime(epoch=2, max_epochs=4, step=step, max_steps=20)
    batch = Batch(tiny.images(1), torch.tensor([0]), 10, time=time)
    assert (batch.progress, batch.epoch, batch.max_epochs) == (expected, 2, 4)


def test_classify_is_the_networks_own() -> None:
    network = tiny.build(tiny.digits_cnn()).eval()
    names = ["student_feature", "student_classify", "student_forward"]
    source = NetworkSource("student", network, names)
    images, samples = tiny.batch()
    seen, functions = (
        source.run(images),
        source.functions(SampleBatch(images, samples, tiny.CLASSES)),
    )
    assert torch.equal(functions["student_classify"](seen["student_feature"]), network(images))
    assert torch.equal(functions["student_forward"](images), network(images))


@pytest.mark.parametrize("mixed", [False, True])
def test_the_criterion_is_the_networks_own(mixed: bool) -> None:
    network = tiny.build(tiny.digits_cnn()).eval()
    images, samples = tiny.batch()
    if mixed:
        samples = tiny.soft(tiny.distribution(4))
    criterion = criterion_of(network, SampleBatch(images, samples, tiny.CLASSES))
    assert torch.equal(criterion(network(images)), network.loss(images, samples)["loss"])


@pytest.mark.parametrize("labels", [torch.tensor([1, 0]), torch.tensor([[0.2, 0.8], [1.0, 0.0]])])
def test_a_network_without_a_criterion_gets_cross_entropy(labels: Tensor) -> None:
    logits = torch.randn(2, 2)
    batch = Batch(torch.zeros(2, 3, 4, 4), labels, num_classes=2)
    criterion = criterion_of(torch.nn.Linear(2, 2), batch)
    assert torch.equal(criterion(logits), F.cross_entropy(logits, labels))


def test_labels_and_indices_that_are_missing_are_explained() -> None:
    batch = Batch(torch.zeros(2, 3, 4, 4), None, num_classes=2)
    with pytest.raises(UserError, match="asks for the labels, and the batch has none"):
        _ = batch.labels
    with pytest.raises(UserError, match="a tensor of shape"):
        _ = batch.index


def test_a_network_that_cannot_classify_maps_is_named() -> None:
    with pytest.raises(UserError, match="Linear cannot classify a feature map"):
        classify_with(torch.nn.Linear(2, 2))
