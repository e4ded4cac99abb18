"""A teacher's fast pass: what it changes, what it says, and what stays as it is."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import cls_kd
from cls_kd.core.fast_pass import agreement, prefers_channels_last
from cls_kd.errors import UserError
from cls_kd.losses import KDLoss, TaskLoss
from tests.core.test_folding import with_statistics
from tests.distillers import tiny

SHAPE = (3, 16, 16)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return with_statistics(tiny.build(tiny.resnet_cifar(4)), seed)


def distiller(teacher: cls_kd.Teacher, **options: object) -> cls_kd.Distiller:
    losses = dict(ce=TaskLoss(), kd=KDLoss(temperature=4.0))
    return cls_kd.Distiller(network(1), losses, teacher, input_shape=SHAPE, **options)


def images(count: int = 8) -> torch.Tensor:
    return tiny.images(count, channels=3, size=16)


def test_by_default_it_differs_by_rounding_and_says_so() -> None:
    plain, teacher = network(), cls_kd.Teacher(network())
    digest = teacher.digest()
    built = distiller(teacher)
    (note,) = built.notes
    assert note.startswith("Teacher 0: 20 of 20 batch norms are folded into convolutions; relative")
    with torch.no_grad():
        expected, logits = plain(images()), teacher.logits(images())
    assert not torch.equal(logits, expected)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    assert teacher.digest() == digest == cls_kd.Teacher(plain).digest()
    assert list(teacher.network.state_dict()) == list(plain.state_dict())
    assert teacher.fast.settings() == {
        "fold_batch_norm": 20,
        "channels_last": True,
        "dtype": "float32",
        "compile": False,
    }
    measured = teacher.compare(images())
    assert (measured.images, measured.same_class) == (8, 1.0)
    assert 0 < measured.error < 2e-6


def test_switched_off_it_has_the_bits_of_the_network() -> None:
    teacher = cls_kd.Teacher(network(), fold_batch_norm=False, channels_last=False)
    built = distiller(teacher)
    assert not built.notes
    assert not teacher.fast.describe()
    with torch.no_grad():
        assert torch.equal(teacher.logits(images()), network()(images()))
    assert teacher.compare(images()).error == 0


def test_bfloat16_changes_the_pass_and_not_what_losses_call() -> None:
    teacher = cls_kd.Teacher(network(), dtype="bfloat16")
    distiller(teacher)
    teacher.attach({"teacher_logits": None, "teacher_classify": None, "teacher_feature": None})
    batch = cls_kd.signals.Batch(images(), torch.zeros(8, dtype=torch.int64), 10)
    signals = teacher(batch)
    assert signals["teacher_logits"].dtype is torch.bfloat16
    assert signals["teacher_classify"](signals["teacher_feature"].float()).dtype is torch.float32
    measured = teacher.compare(images())
    assert 1e-4 < measured.error < 0.05
    assert teacher.fast.settings()["dtype"] == "bfloat16"
    assert "bfloat16" in teacher.fast.describe()


def test_the_folded_parameters_follow_the_network_s_type() -> None:
    teacher = cls_kd.Teacher(network())
    distiller(teacher).double()
    plain = network().double()
    with torch.no_grad():
        logits, expected = teacher.logits(images().double()), plain(images().double())
    torch.testing.assert_close(logits, expected, rtol=1e-13, atol=1e-14)


def test_a_fold_that_is_not_exact_is_not_used() -> None:
    """A large mean that the bias takes back: the plain network rounds, the folded one does not."""
    broken = network()
    norm = broken.backbone.layer4[-1].bn2
    for values, value in ((norm.running_mean, 1e4), (norm.running_var, 1.0), (norm.bias, 1e4)):
        nn.init.constant_(values, value)
    nn.init.ones_(norm.weight)
    built = distiller(cls_kd.Teacher(copy.deepcopy(broken)))
    (note,) = built.notes
    assert "no batch norm is folded into a convolution" in note
    with torch.no_grad():
        plain = broken.to(memory_format=torch.channels_last)(images())
        torch.testing.assert_close(built.teachers[0].logits(images()), plain)


def test_signals_of_batch_norms_are_those_of_the_plain_network() -> None:
    """Weights of batch norms, to the last bit; what they give, but for rounding."""
    names = {"teacher_preacts": None, "teacher_preact_norms": None, "teacher_logits": None}
    batch, seen = cls_kd.signals.Batch(images(), None, 10), []
    for fold in (False, True):
        teacher = cls_kd.Teacher(network(), fold_batch_norm=fold, channels_last=fold)
        teacher.attach(names)
        teacher.measure(images(1), None, 10)
        assert bool(teacher.fast.describe()) == fold
        seen.append(teacher(batch))
    plain, folded = seen
    for one, other in zip(
        plain["teacher_preact_norms"], folded["teacher_preact_norms"], strict=True
    ):
        assert torch.equal(one, other)
    torch.testing.assert_close(folded["teacher_preacts"], plain["teacher_preacts"])


def test_a_network_that_cannot_be_watched_is_computed_as_it_is() -> None:
    class Refusing(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
                raise NotImplementedError("no rule for this operation")
            return values

    built = distiller(cls_kd.Teacher(nn.Sequential(network(), Refusing())))
    (note,) = built.notes
    assert note.endswith("its operations cannot be watched (no rule for this operation).")


def test_options_that_make_no_sense() -> None:
    with pytest.raises(UserError, match=r"dtype: 'bfloat'\. Did you mean 'bfloat16'"):
        cls_kd.Teacher(network(), dtype="bfloat")
    with pytest.raises(UserError, match=r"train_mode=True\), where channels_last, dtype cannot"):
        cls_kd.Teacher(network(), train_mode=True, dtype="bfloat16", channels_last=True)


def test_a_teacher_in_training_mode_is_left_alone() -> None:
    teacher = cls_kd.Teacher(network(), train_mode=True)
    distiller(teacher)
    assert not teacher.fast.describe()


@pytest.mark.parametrize(
    ("layer", "preferred"),
    [
        (nn.Conv2d(256, 512, 3), True),
        (nn.Conv2d(512, 512, 3), False),
        (nn.Conv2d(512, 512, 1), True),
        (nn.Conv2d(512, 512, 3, groups=512), True),
        (nn.Linear(4, 4), False),
    ],
    ids=str,
)
def test_the_layout_follows_from_the_network(layer: nn.Module, preferred: bool) -> None:
    assert prefers_channels_last(nn.Sequential(layer), torch.float32) == preferred


def test_agreement() -> None:
    plain = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    measured = agreement(torch.tensor([[2.0, 0.0], [4.4, 4.0]]), plain)
    assert measured.error == pytest.approx(1.1)
    assert measured.same_class == 0.5
    assert measured.divergence > 0
    assert agreement(plain, plain).divergence == pytest.approx(0, abs=1e-12)


def test_a_student_with_channels_last_learns_the_same() -> None:
    terms = []
    for channels_last in (False, True):
        teacher = cls_kd.Teacher(network(), channels_last=channels_last)
        built = distiller(teacher, student_channels_last=channels_last)
        labels = torch.arange(8) % 10
        total = built.total(built.loss(images(), labels))
        total.backward()
        terms.append((total.detach(), built.student.backbone.conv1.weight.grad.clone()))
        weight = built.student.backbone.layer1[0].conv1.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    torch.testing.assert_close(terms[0], terms[1], rtol=1e-4, atol=1e-5)
