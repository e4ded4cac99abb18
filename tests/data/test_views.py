"""Several augmentations of each image: made by the data, seen by the student in one pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.dataset import default_collate
from torch import Tensor

import cls_kd
from cls_kd.data import BatchPreprocessor, RandomCropFlip, Rotations, StrongViews, Views
from cls_kd.data.rotations import quarter_turns
from cls_kd.engine.loaders import check_pairs
from cls_kd.errors import UserError
from cls_kd.losses import DDGSDLoss, DistillLoss, KDLoss, TaskLoss, ViewTaskLoss
from tests.core.test_distiller import SHAPE, batch, network
from tests.distillers import tiny


class Noisy:
    """Items that are another augmentation each time they are fetched."""

    metainfo: dict[str, Any] = {}  # noqa: RUF012

    def full_init(self) -> None:
        pass

    def __len__(self) -> int:
        return 6

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return {"inputs": idx + torch.rand(3, 4, 4), "data_samples": tiny.samples([idx])[0]}


class Whole(Noisy):
    """Gives whole batches."""

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        return default_collate([self[index] for index in indices])


class Keeps(DistillLoss):
    def forward(
        self,
        student_logits: Tensor,
        student_stages: tuple[Tensor, ...],
        view_logits: Tensor,
        view_embeddings: Tensor,
        view_inputs: Tensor,
    ) -> Tensor:
        self.seen = student_logits, student_stages, view_logits, view_embeddings, view_inputs
        return view_logits.sum()


@pytest.mark.parametrize("kind", [Noisy, Whole])
def test_views_are_further_augmentations_of_the_same_image(kind: type[Noisy]) -> None:
    dataset = Views(kind(), count=3)
    found = dataset.__getitems__([4, 1])
    whole = found if isinstance(found, dict) else default_collate(found)
    assert whole["view_inputs"].shape == (2, 2, 3, 4, 4)
    every = torch.cat([whole["inputs"].unsqueeze(1), whole["view_inputs"]], 1)
    assert every.floor().unique(dim=1).flatten(1)[:, 0].tolist() == [4, 1]
    assert not torch.equal(every[:, 0], every[:, 1])
    assert not torch.equal(every[:, 1], every[:, 2])
    with pytest.raises(UserError, match="count must be a whole number of 2 or more, not 1"):
        Views(Noisy(), count=1)


class Blank(Noisy):
    def __getitem__(self, idx: int) -> dict[str, Any]:
        ramp = torch.arange(48, dtype=torch.uint8).view(3, 4, 4) * 5
        return {"inputs": ramp, "data_samples": tiny.samples([idx])[0]}


class WholeBlank(Blank, Whole):
    pass


@pytest.mark.parametrize("kind", [Blank, WholeBlank])
def test_strong_views_are_augmented_image_by_image(kind: type[Blank]) -> None:
    torch.manual_seed(0)
    found = StrongViews(kind(), operations=3).__getitems__(list(range(6)))
    whole = found if isinstance(found, dict) else default_collate(found)
    image = kind()[0]["inputs"]
    assert torch.equal(whole["inputs"], image.expand(6, 3, 4, 4)), "the first view is weak"
    views = whole["view_inputs"]
    assert views.shape == (6, 1, 3, 4, 4)
    assert views.dtype == torch.uint8
    assert len(views.flatten(1).unique(dim=0)) > 2, "each image has operations of its own"
    assert StrongViews(kind())[2]["view_inputs"].shape == (1, 3, 4, 4)
    with pytest.raises(UserError, match="magnitude must be a whole number from 0 to 30, not 31"):
        StrongViews(kind(), magnitude=31)


@pytest.mark.parametrize("kind", [Blank, WholeBlank])
def test_rotations_are_quarter_turns(kind: type[Blank]) -> None:
    dataset = Rotations(kind())
    found = dataset.__getitems__([0, 3])
    whole = found if isinstance(found, dict) else default_collate(found)
    image = kind()[0]["inputs"]
    turns = torch.stack([image.rot90(count, (1, 2)) for count in (1, 2, 3)])
    assert torch.equal(whole["inputs"], image.expand(2, 3, 4, 4))
    assert torch.equal(whole["view_inputs"], turns.expand(2, 3, 3, 4, 4))
    assert torch.equal(dataset[3]["view_inputs"], turns)


def test_rotations_are_turned_after_they_are_augmented() -> None:
    """A flip after a turn would be a turn the other way."""
    batch = Rotations(WholeBlank()).__getitems__(list(range(8)))
    for place, sample in enumerate(batch["data_samples"]):
        sample.set_field(place, "sample_idx", field_type="metainfo")
    ready = BatchPreprocessor(augment=RandomCropFlip(padding=1))(batch, training=True)
    inputs = ready["inputs"]
    assert len(inputs.flatten(1).unique(dim=0)) > 2, "there are several draws"
    assert torch.equal(
        ready["view_inputs"], torch.stack([inputs.rot90(count, (2, 3)) for count in range(4)])
    )


def test_images_that_are_not_square_have_no_quarter_turns() -> None:
    with pytest.raises(UserError, match="images must be square, and these have 4 x 6 pixels"):
        quarter_turns(torch.zeros(2, 3, 4, 6))


def test_views_are_normalized_and_augmented_as_the_images_are() -> None:
    raw = tiny.viewed(tiny.data(4, channels=3))
    colors = dict(mean=[10.0, 20.0, 30.0], std=[2.0, 3.0, 4.0], to_rgb=True)
    ready = BatchPreprocessor(**colors)(raw, training=True)
    inputs = ready["inputs"]
    expected = torch.stack([inputs, inputs, inputs.flip(-1), inputs.flip(-2)])
    assert torch.equal(ready["view_inputs"], expected)
    collated = {**raw, "inputs": torch.stack(raw["inputs"])}
    for place, sample in enumerate(collated["data_samples"]):
        sample.set_field(place, "sample_idx", field_type="metainfo")
    augmented = BatchPreprocessor(augment=RandomCropFlip(padding=4))(collated, training=True)
    first, second, *_ = augmented["view_inputs"]
    assert torch.equal(first, augmented["inputs"])
    assert not torch.equal(first, second), "each view has a draw of its own"


def test_mixed_images_have_no_views() -> None:
    augments = dict(augments=[dict(type="Mixup", alpha=1.0)])
    preprocessor = BatchPreprocessor(num_classes=10, batch_augments=augments)
    with pytest.raises(UserError, match="batch_augments mix the images, and not their views"):
        preprocessor(tiny.viewed(tiny.data(4)), training=True)


def test_the_student_sees_all_views_in_one_pass() -> None:
    images, labels = batch(4)
    views = torch.stack([images, images.flip(-1), images + 1])
    model = cls_kd.Distiller(network(1), {"keeps": Keeps()}, input_shape=SHAPE)
    passes: list[int] = []
    model.student.register_forward_hook(lambda *args: passes.append(len(args[1][0])))
    model.loss(images, labels, view_inputs=views)
    assert passes == [12]
    logits, stages, view_logits, view_embeddings, view_inputs = model.losses["keeps"].seen
    torch.testing.assert_close(view_logits, torch.stack([model.student(one) for one in views]))
    torch.testing.assert_close(logits, view_logits[0])
    torch.testing.assert_close(stages[0], model.student[0](images))
    assert view_embeddings.shape == (3, 4, 6)
    assert view_inputs is views


def test_teachers_and_labels_see_the_first_view() -> None:
    images, labels = batch(4)
    losses = {"ce": TaskLoss(), "views": ViewTaskLoss(), "kd": KDLoss(), "ddgsd": DDGSDLoss()}
    teacher = network(2)
    model = cls_kd.Distiller(network(1), losses, teacher, input_shape=SHAPE)
    terms = model.loss(images, labels, view_inputs=torch.stack([images, images + 1]))
    plain = cls_kd.Distiller(
        network(1), {"kd": KDLoss(), "ce": TaskLoss()}, teacher, input_shape=SHAPE
    )
    expected = plain.loss(images, labels)
    torch.testing.assert_close({key: terms[key] for key in expected}, expected)
    assert terms["ddgsd.loss_kl"] > 0
    assert set(model.totals(terms)) == {"task", "distillation"}


class KeepsTeacher(DistillLoss):
    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, teacher_view_logits: Tensor
    ) -> Tensor:
        self.seen = teacher_logits, teacher_view_logits
        return student_logits.sum()


def test_the_teacher_sees_all_views_in_one_pass_where_a_loss_asks() -> None:
    """In its own normalization, and its logits are of the student's classes."""
    images, labels = batch(4)
    views = torch.stack([images, images.flip(-1), images + 1])
    colors = dict(mean=[0.5] * 3, std=[0.5] * 3, to_rgb=False)
    taught = network(2)
    passes: list[int] = []
    taught.register_forward_hook(lambda *args: passes.append(len(args[1][0])))
    names = [f"class {place}" for place in range(taught(images).shape[1])]
    model = cls_kd.Distiller(
        network(1),
        {"keeps": KeepsTeacher()},
        cls_kd.Teacher(taught, normalization=colors, classes=names[::-1]),
        input_shape=SHAPE,
        classes=names,
        normalization=dict(mean=[0.0] * 3, std=[1.0] * 3, to_rgb=False),
    )
    passes.clear()
    model.loss(images, labels, view_inputs=views)
    assert passes == [12]
    logits, view_logits = model.losses["keeps"].seen
    expected = torch.stack([taught((view - 0.5) / 0.5).flip(1) for view in views])
    torch.testing.assert_close(view_logits, expected)
    torch.testing.assert_close(logits, expected[0])
    with pytest.raises(UserError, match="put Views around the data set"):
        check_pairs(Noisy(), {"teacher_view_logits"})


def test_without_views_there_is_advice() -> None:
    images, labels = batch(4)
    model = cls_kd.Distiller(network(1), {"ddgsd": DDGSDLoss()}, input_shape=SHAPE)
    with pytest.raises(UserError, match="put Views around the data set"):
        model.loss(images, labels)
    with pytest.raises(UserError, match=r"its shape is \(2, 3, 3, 8, 8\)"):
        model.loss(images, labels, view_inputs=torch.zeros(2, 3, *SHAPE))
    with pytest.raises(UserError, match="put Views around the data set"):
        check_pairs(Noisy(), {"view_logits"})
    check_pairs(Views(Noisy()), {"view_logits"})
