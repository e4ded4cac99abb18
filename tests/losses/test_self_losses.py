"""Losses by which a student teaches itself, and controls of born-again networks, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import (
    ConfidencePenaltyLoss,
    CSKDLoss,
    CWTMLoss,
    DKPPLoss,
    DLBLoss,
    LabelSmoothingLoss,
    PSKDLoss,
    TfKDRegularizationLoss,
    TSDLoss,
    ViewTaskLoss,
)
from cls_kd.modules import PredictionBank
from cls_kd.signals.shapes import SignalShapes

SAMPLES, CLASSES = 8, 5
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])


def logits(seed: int, count: int = 4, classes: int = CLASSES) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(count, classes, generator=generator, dtype=torch.float64)


def gradient(value: Tensor, of: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, of)
    return found


# Terms without a teacher


def test_tsd_is_zero_where_the_first_k_are_equal() -> None:
    scores = torch.tensor([[0.3, 0.3, 0.3, 0.1], [0.25, 0.25, 0.25, 0.25]])
    assert TSDLoss(k=3)(student_logits=scores.log()).item() == pytest.approx(0, abs=1e-7)
    assert TSDLoss(k=4)(student_logits=scores[:1].log()).item() == pytest.approx(0.2 / 3)
    certain = torch.tensor([[500.0, 0.0, 0.0, 0.0]])
    assert TSDLoss(k=4)(student_logits=certain).item() == 1.0


def test_tsd_needs_as_many_classes() -> None:
    with pytest.raises(UserError, match="k=5, but there are 4 classes"):
        TSDLoss().build(SignalShapes({}, num_classes=4))


def test_label_smoothing_and_confidence_penalty_are_the_two_directions() -> None:
    z = logits(0)
    f, u = F.softmax(z, 1), torch.full_like(z, 1 / CLASSES)
    forward = (u * (u / f).log()).sum(1).mean()
    backward = (f * (f / u).log()).sum(1).mean()
    torch.testing.assert_close(LabelSmoothingLoss()(student_logits=z), forward)
    penalty = ConfidencePenaltyLoss()(student_logits=z)
    torch.testing.assert_close(penalty, backward - math.log(CLASSES))
    uniform = torch.zeros(2, CLASSES)
    assert LabelSmoothingLoss()(student_logits=uniform).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("eps", [0.1, 0.3])
def test_both_targets_called_label_smoothing(eps: float) -> None:
    """Values up to the constant eps log K, and gradients."""
    z, labels = logits(0).requires_grad_(), LABELS[:4]

    def ours(share: float) -> Tensor:
        ce = F.cross_entropy(z, labels)
        smoothing = LabelSmoothingLoss()(student_logits=z)
        return (1 - share) * ce + share * smoothing + share * math.log(CLASSES)

    szegedy = F.cross_entropy(z, labels, label_smoothing=eps)
    torch.testing.assert_close(ours(eps), szegedy)
    torch.testing.assert_close(gradient(ours(eps), z), gradient(szegedy, z))
    target = torch.full_like(z, eps / (CLASSES - 1))
    target = target.scatter(1, labels.unsqueeze(1), 1 - eps).detach()
    others = F.cross_entropy(z, target)
    torch.testing.assert_close(ours(eps * CLASSES / (CLASSES - 1)), others)


def test_tf_kd_is_label_smoothing_of_another_strength() -> None:
    """Its target has two levels: all that the temperature changes is how far they are apart."""
    z, labels = logits(1).requires_grad_(), LABELS[:4]
    loss = TfKDRegularizationLoss(correct_prob=0.9, temperature=2.0)
    gap = math.exp((0.9 - 0.1 / 4) / 2)
    target = torch.full_like(z, 1 / (gap + 4))
    target = target.scatter(1, labels.unsqueeze(1), gap / (gap + 4)).detach()
    expected = F.kl_div(F.log_softmax(z, 1), target, reduction="sum") / 4
    value = loss(student_logits=z, labels=labels)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient(value, z), gradient(expected, z))


def test_cs_kd_leaves_the_other_image_alone() -> None:
    z, pair = logits(0).requires_grad_(), logits(1).requires_grad_()
    CSKDLoss()(student_logits=z, pair_logits=pair).backward()
    assert pair.grad is None
    assert z.grad.abs().sum() > 0


# The past of the network


def ps_kd(samples: int | None = SAMPLES, **options: Any) -> PSKDLoss:
    loss = PSKDLoss(**options)
    loss.build(SignalShapes({}, num_classes=CLASSES, num_samples=samples))
    return loss.double()


def test_ps_kd_two_epochs_by_hand() -> None:
    loss, epochs = ps_kd(alpha=0.6), 3
    past: dict[int, Tensor] = {}
    seed = 0
    for epoch in range(epochs):
        for index in ([3, 0, 6, 5], [1, 2, 7, 4]) if epoch < 2 else ([0, 1, 2, 3],):
            places = torch.tensor(index)
            z, labels = logits(seed := seed + 1).requires_grad_(), LABELS[places]
            value = loss(
                student_logits=z,
                targets=F.one_hot(labels, CLASSES).float(),
                index=places,
                epoch=epoch,
                max_epochs=epochs,
            )
            share = 0.6 * (epoch + 1) / epochs
            expected = torch.zeros((), dtype=torch.float64)
            for row, place in enumerate(index):
                target = [float(c == LABELS[place]) for c in range(CLASSES)]
                if place in past:
                    target = [
                        (1 - share) * v + share * p.item()
                        for v, p in zip(target, past[place], strict=True)
                    ]
                for c in range(CLASSES):
                    log_f = z[row, c] - z[row].exp().sum().log()
                    expected = expected - target[c] * log_f / 4
                past[place] = (z[row].exp() / z[row].exp().sum()).detach()
            torch.testing.assert_close(value, expected)
            torch.testing.assert_close(gradient(value, z), gradient(expected, z))


def signals_of(seed: int, index: list[int], epoch: int = 0) -> dict[str, Any]:
    places = torch.tensor(index)
    targets = F.one_hot(LABELS[places], CLASSES).double()
    return dict(
        student_logits=logits(seed, len(index)),
        targets=targets,
        index=places,
        epoch=epoch,
        max_epochs=2,
    )


def test_the_first_epoch_of_ps_kd_is_cross_entropy() -> None:
    signals = signals_of(0, [0, 1, 2, 3])
    expected = F.cross_entropy(signals["student_logits"], LABELS[:4])
    torch.testing.assert_close(ps_kd()(**signals), expected)


def test_ps_kd_evaluated_remembers_nothing() -> None:
    loss = ps_kd().eval()
    loss(**signals_of(0, [0, 1, 2, 3]))
    assert not loss.bank.known.any()


def test_ps_kd_resumes_exactly() -> None:
    straight, resumed = ps_kd(), ps_kd()
    straight(**signals_of(0, [0, 1, 2, 3]))
    resumed.load_state_dict(straight.state_dict())
    after = signals_of(1, [2, 3, 4, 5], epoch=1)
    assert straight(**after) == resumed(**after)
    assert torch.equal(straight.bank.logits, resumed.bank.logits)
    assert straight.bank.known.tolist() == [True] * 6 + [False] * 2


def test_ps_kd_needs_the_length_of_the_training_set() -> None:
    with pytest.raises(UserError, match="length of the training set"):
        ps_kd(None)
    with pytest.raises(UserError, match=f"training set of {SAMPLES} samples"):
        ps_kd()(**(signals_of(0, [0, 1]) | {"index": torch.tensor([0, SAMPLES])}))


def test_of_duplicates_in_the_bank_the_last_counts() -> None:
    bank, z = PredictionBank(SAMPLES, CLASSES), logits(0).float()
    bank.remember(torch.tensor([3, 1, 3, 3]), z)
    found, known = bank.recall(torch.tensor([3, 1, 0]))
    assert torch.equal(found[:2], z[[3, 1]])
    assert known.tolist() == [True, True, False]


def test_dlb_by_hand() -> None:
    """Two epochs of windows; what is shared is found by its place, in any order."""
    loss = DLBLoss(temperature=2.0)
    before: dict[int, Tensor] = {}
    last_epoch = 0
    batches = [
        (0, [0, 1, 2, 3]),
        (0, [3, 2, 4, 5]),
        (0, [4, 5, 6, 7]),
        (1, [6, 7, 1, 0]),  # another epoch: nothing is known of 6 and 7
        (1, [0, 2, 1]),
        (1, [5, 6]),  # nothing in common
    ]
    shared_somewhere = 0
    for seed, (epoch, index) in enumerate(batches):
        z = logits(seed, len(index)).requires_grad_()
        result = loss(student_logits=z, index=torch.tensor(index), epoch=epoch)
        value = result["loss"]
        known = before if epoch == last_epoch else {}
        terms = []
        for row, place in enumerate(index):
            if place in known:
                p, q = F.softmax(known[place] / 2, 0), F.softmax(z[row] / 2, 0)
                terms.append(4 * (p * (p / q).log()).sum())
        expected = sum(terms) / max(len(terms), 1) + 0 * z.sum()
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(gradient(value, z), gradient(expected, z))
        assert result["shared"] == len(terms) / len(index)
        assert not loss.last[2].requires_grad, "it would keep the last step's graph"
        before = {place: z[row].detach() for row, place in enumerate(index)}
        last_epoch, shared_somewhere = epoch, shared_somewhere + len(terms)
    assert shared_somewhere == 2 + 2 + 2


def test_dlb_is_in_no_checkpoint() -> None:
    loss = DLBLoss()
    loss(student_logits=logits(0), index=torch.arange(4), epoch=0)
    assert not loss.state_dict()
    assert not list(loss.buffers()), "an average of the model copies buffers one by one"


# Controls of born-again networks


def test_cwtm_by_hand() -> None:
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    labels = LABELS[:4]
    value = CWTMLoss()(
        student_logits=student,
        teacher_logits=teacher,
        targets=F.one_hot(labels, CLASSES).double(),
    )
    sure = [F.softmax(row, 0).max().item() for row in teacher]
    each = [F.cross_entropy(student[n], labels[n]) for n in range(4)]
    expected = sum(s / sum(sure) * one for s, one in zip(sure, each, strict=True))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient(value, student), gradient(expected, student))


def test_cwtm_of_an_even_teacher_is_cross_entropy() -> None:
    student, targets = logits(0), F.one_hot(LABELS[:4], CLASSES).double()
    value = CWTMLoss()(
        student_logits=student, teacher_logits=torch.zeros(4, CLASSES), targets=targets
    )
    torch.testing.assert_close(value, F.cross_entropy(student, targets))


def dkpp_targets(teacher: Tensor, seed: int) -> Tensor:
    """The target that the loss uses, read off its gradient: f - target, divided by N."""
    torch.manual_seed(seed)
    student = logits(0, *teacher.shape).requires_grad_()
    value = DKPPLoss()(student_logits=student, teacher_logits=teacher)
    return (F.softmax(student, 1) - len(teacher) * gradient(value, student)).detach()


def test_dkpp_keeps_the_first_class_and_permutes_the_others() -> None:
    teacher = logits(1, 50, 7)
    scores, targets = F.softmax(teacher, 1), dkpp_targets(teacher, 0)
    first = scores.argmax(1, keepdim=True)
    torch.testing.assert_close(targets.gather(1, first), scores.gather(1, first))
    torch.testing.assert_close(targets.sort(1).values, scores.sort(1).values)
    moved = (targets - scores).abs().amax(1) > 1e-6
    assert moved.double().mean() > 0.9


def test_dkpp_draws_for_each_sample_and_step() -> None:
    same = logits(2, 1, 7).expand(200, 7)
    targets = dkpp_targets(same, 0)
    assert not torch.allclose(targets, dkpp_targets(same, 1))
    first = int(same[0].argmax())
    others = [c for c in range(7) if c != first]
    # Every other class gets the second score about equally often.
    second = targets[:, others].argmax(1)
    counts = torch.bincount(second, minlength=6)
    assert counts.min() > 200 / 6 - 5 * (200 / 6) ** 0.5


def test_dkpp_value() -> None:
    """Where all other classes are equal, permuting changes nothing: it is KD."""
    teacher = torch.zeros(3, CLASSES, dtype=torch.float64)
    teacher[torch.arange(3), torch.tensor([1, 0, 4])] = 3.0
    student = logits(0, 3)
    p, log_q = F.softmax(teacher, 1), F.log_softmax(student, 1)
    expected = (p * (p.log() - log_q)).sum(1).mean()
    torch.testing.assert_close(DKPPLoss()(student_logits=student, teacher_logits=teacher), expected)


def test_the_task_of_all_views_is_the_sum_of_each() -> None:
    logits, labels = torch.randn(3, 4, 5), torch.tensor([0, 1, 4, 2])
    value = ViewTaskLoss()(logits, lambda one: F.cross_entropy(one, labels))
    expected = sum(F.cross_entropy(one, labels) for one in logits)
    torch.testing.assert_close(value, expected)
