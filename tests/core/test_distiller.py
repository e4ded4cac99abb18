"""`cls_kd.Distiller` and `cls_kd.Teacher` in a training loop of PyTorch's, without MMEngine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cls_kd
from cls_kd.losses import DistillLoss, FitNetLoss, KDLoss, TaskLoss

SHAPE = (3, 8, 8)


class AllTeachers(DistillLoss):
    """Keeps the logits of all teachers."""

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor) -> Tensor:
        self.seen = all_teacher_logits
        return (student_logits - all_teacher_logits.mean(dim=0)).square().mean()


def network(seed: int = 0, width: int = 6, classes: int = 4) -> nn.Sequential:
    """Three stages; no batch statistics, so that images do not depend on each other."""
    torch.manual_seed(seed)
    stages = [nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.Tanh())]
    stages += [nn.Sequential(nn.Conv2d(width, width, 3, 2, 1), nn.Tanh()) for _ in range(2)]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
    model = nn.Sequential(*stages, head)
    model.taps = {"stages": ("0", "1", "2")}
    return model


def batch(size: int = 8) -> tuple[Tensor, Tensor]:
    torch.manual_seed(9)
    return torch.randn(size, *SHAPE), torch.randint(0, 4, (size,))


def distiller(losses: Mapping[str, Any], teacher: Any = None, **options: Any) -> cls_kd.Distiller:
    return cls_kd.Distiller(network(1), losses, teacher, input_shape=SHAPE, **options)


def test_losses_as_modules_terms_and_configs_are_the_same() -> None:
    images, labels = batch()
    schedule = dict(type="LinearWarmup", until=0.5, value=1.0)
    given: list[dict[str, Any]] = [
        {"kd": cls_kd.Term(KDLoss(temperature=2.0), weight=0.5)},
        {"kd": dict(type="KDLoss", temperature=2.0, weight=0.5)},
        {"kd": dict(type=KDLoss, temperature=2.0, weight=schedule)},
    ]
    values = []
    for losses in given:
        model = distiller(losses, network(2))
        model.time.step, model.time.max_steps = 25, 100
        values.append(model.loss(images, labels)["kd.loss"])
    plain = distiller({"kd": KDLoss(temperature=2.0)}, network(2)).loss(images)["kd.loss"]
    torch.testing.assert_close(values, [0.5 * plain] * 3)


def test_the_total_leaves_out_what_is_only_logged() -> None:
    terms = {"a.loss": torch.tensor(1.0), "a.loss_b": torch.tensor(2.0), "a.norm": torch.ones(())}
    assert cls_kd.Distiller.total(terms) == 3


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "distributions"])
def test_a_network_without_a_criterion_learns_by_cross_entropy(soft: bool) -> None:
    images, labels = batch()
    targets = torch.rand(8, 4).softmax(dim=1) if soft else labels
    model = distiller({"ce": TaskLoss()})
    expected = F.cross_entropy(model.student(images), targets)
    torch.testing.assert_close(model.loss(images, targets)["ce.loss"], expected)
    torch.testing.assert_close(model(images, targets)["ce.loss"], expected)
    torch.testing.assert_close(model(images), model.student(images))


def test_several_teachers_as_a_stack_as_a_mean_and_by_name() -> None:
    images, labels = batch()
    first, second = network(2), network(3, width=5)
    losses = {
        "all": AllTeachers(),
        "mean": KDLoss(),
        "one": cls_kd.Term(KDLoss(), teacher="second"),
        "other": cls_kd.Term(KDLoss(), teacher=0),
    }
    model = distiller(losses, [first, cls_kd.Teacher(second, name="second")])
    terms = model.loss(images, labels)
    outputs = [first(images), second(images)]
    torch.testing.assert_close(model.losses["all"].seen, torch.stack(outputs))
    logits = model.student(images)
    for name, expected in [
        ("mean", (outputs[0] + outputs[1]) / 2),
        ("one", outputs[1]),
        ("other", outputs[0]),
    ]:
        torch.testing.assert_close(terms[f"{name}.loss"], KDLoss()(logits, expected))


def test_only_the_stage_that_a_loss_reads_is_hooked() -> None:
    teacher = network(2)
    model = distiller({"fitnet": FitNetLoss(stage=1)}, teacher)
    for role in (model.student, teacher):
        hooked = {name for name, module in role.named_modules() if module._forward_hooks}
        assert hooked == {"1"}
    images, labels = batch()
    assert model.loss(images, labels)["fitnet.loss"] > 0


def test_a_teacher_sees_its_own_normalization() -> None:
    images, _ = batch()
    own = dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4], to_rgb=True)
    shown = dict(mean=[0.1, 0.2, 0.3], std=[0.3, 0.3, 0.5], to_rgb=True)

    def normalized(pixels: Tensor, options: dict[str, Any]) -> Tensor:
        mean, std = (torch.tensor(options[key])[:, None, None] for key in ("mean", "std"))
        return (pixels - mean) / std

    network_2 = network(2)
    model = distiller(
        {"all": AllTeachers()}, cls_kd.Teacher(network_2, normalization=own), normalization=shown
    )
    model.loss(normalized(images, shown))
    expected = network_2(normalized(images, own))
    torch.testing.assert_close(model.losses["all"].seen[0], expected)


def test_the_teacher_is_frozen_shared_by_copies_and_no_part_of_the_distiller() -> None:
    teacher = network(2)
    teacher.append(nn.Dropout())
    losses = {"ce": TaskLoss(), "fitnet": dict(type="FitNetLoss", stage=1)}
    model = distiller(losses, teacher).train()
    roots = {name.partition(".")[0] for name in (*model.state_dict(), *dict(model.named_modules()))}
    assert roots == {"", "student", "losses"}
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not {id(value) for value in model.parameters()} & {
        id(value) for value in teacher.parameters()
    }
    assert not teacher.training
    average = copy.deepcopy(model)
    assert average.teachers[0] is model.teachers[0]
    assert average.student is not model.student
    images, labels = batch()
    model.total(model.loss(images, labels)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in average.parameters())
    torch.testing.assert_close(average.loss(images, labels), model.loss(images, labels))
    state = model.state_dict()
    torch.manual_seed(5)
    other = distiller(losses, teacher)
    other.load_state_dict(state)
    torch.testing.assert_close(other.loss(images, labels), model.loss(images, labels))


def test_autocast_does_not_reach_the_losses() -> None:
    images, labels = batch()
    model = distiller({"ce": TaskLoss(), "kd": KDLoss()}, network(2))
    with torch.autocast("cpu", torch.bfloat16):
        terms = model.loss(images, labels)
    assert {value.dtype for value in terms.values()} == {torch.float32}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("losses and teacher swapped", dict(losses=network(), teacher=None), "must be a dict of names"),
    ("no loss", dict(losses={}), "has no loss"),
    ("a class for a loss", dict(losses=dict(kd=KDLoss)), r"give a loss such as KDLoss\(\)"),
    ("a name", dict(losses=dict(kd="KDLoss")), r"or a config such as dict\(type='KDLoss'\)"),
    ("a typo", dict(losses=dict(kd=dict(type="KLDLoss"))), "'KDLoss'"),
    (
        "an unknown option",
        dict(losses=dict(kd=dict(type="KDLoss", tau=4))),
        "cannot be built: .*tau",
    ),
    ("no teacher", dict(losses=dict(kd=KDLoss())), "there is no teacher"),
    (
        "a file for a teacher",
        dict(losses=dict(kd=KDLoss()), teacher="teacher.pth"),
        "The teacher must be a torch.nn.Module with its weights loaded, not 'teacher.pth'",
    ),
    (
        "other classes",
        dict(losses=dict(kd=KDLoss()), teacher=network(classes=5)),
        "Teacher 0 has 5 classes, the student has 4",
    ),
    (
        "an unknown teacher",
        dict(losses=dict(kd=cls_kd.Term(KDLoss(), teacher="big")), teacher=network()),
        "wants teacher 'big'; there are 1: 0",
    ),
    (
        "features of two teachers",
        dict(losses=dict(fitnet=FitNetLoss(stage=1)), teacher=[network(), network()]),
        "only logits can be averaged",
    ),
    (
        "a stage that is not there",
        dict(losses=dict(fitnet=FitNetLoss(stage=7)), teacher=network()),
        "stage 7 was asked for, but the (student|teacher) has 3 stages",
    ),
]


@pytest.mark.parametrize(
    ("options", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_does_not_fit_is_refused_in_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(cls_kd.UserError, match=message):
        distiller(**options)


def test_student_and_teacher_are_two_modules() -> None:
    student = network()
    with pytest.raises(cls_kd.UserError, match=r"copy\.deepcopy"):
        cls_kd.Distiller(student, {"kd": KDLoss()}, student, input_shape=SHAPE)
    with pytest.raises(cls_kd.UserError, match=r"The student must be a torch\.nn\.Module"):
        cls_kd.Distiller("resnet18", {"kd": KDLoss()}, student, input_shape=SHAPE)  # type: ignore[arg-type]


def test_a_batch_without_what_a_loss_needs_is_refused() -> None:
    images, _ = batch()
    with pytest.raises(cls_kd.UserError, match="asks for the labels, and the batch has none"):
        distiller({"ce": TaskLoss()}).loss(images)
    with pytest.raises(cls_kd.UserError, match="labels from 7 to 7"):
        distiller({"ce": TaskLoss()}).loss(images, torch.full((8,), 7))


def test_a_loss_takes_signals_by_position_and_by_keyword() -> None:
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    loss = KDLoss(temperature=2.0)
    expected = loss(student_logits=student, teacher_logits=teacher)
    assert loss(student, teacher) == loss(student, teacher_logits=teacher) == expected
    with pytest.raises(TypeError, match=r"takes \(student_logits, teacher_logits\)"):
        loss(student, teacher, student)
    with pytest.raises(TypeError, match=r"KDLoss takes \(student_logits, teacher_logits\)"):
        loss(student, student_logits=student, teacher_logits=teacher)
