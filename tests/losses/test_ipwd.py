"""IPWD: weights from two classifiers, and the loss IPWDLoss that they weigh."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import IPWDLoss, IPWDSelfLoss, KDLoss, PSKDLoss
from cls_kd.modules import IPWDWeight
from cls_kd.signals.shapes import SignalShapes

FILES = sorted((Path(__file__).parents[1] / "reference_values").glob("ipwd_*.npz"))
DIRECTIONS = ["printed", "inverse"]
N, K, D = 6, 5, 3
each_direction = pytest.mark.parametrize("direction", DIRECTIONS)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


LABELS = torch.arange(N) % K


def signals(progress: float = 0.0) -> dict[str, Any]:
    return dict(
        student_logits=(2 * normal(0, N, K)).requires_grad_(),
        student_embedding=normal(1, N, D).requires_grad_(),
        teacher_logits=(3 * normal(2, N, K)).requires_grad_(),
        targets=F.one_hot(LABELS, K).double(),
        progress=progress,
    )


def make(**options: Any) -> IPWDLoss:
    torch.manual_seed(0)
    loss = IPWDLoss(**options)
    loss.build(SignalShapes({"student_embedding": (D,)}, num_classes=K))
    return loss.double()


def surprise(logits: list[float], label: int) -> float:
    """Cross-entropy of one sample's standardized logits, in plain Python."""
    mean = sum(logits) / len(logits)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in logits) / len(logits))
    scaled = [(one - mean) / deviation for one in logits]
    return math.log(sum(math.exp(one) for one in scaled)) - scaled[label]


def plain_weights(cls: Tensor, kd: Tensor, direction: str) -> list[float]:
    found = []
    for one, other, label in zip(cls.tolist(), kd.tolist(), LABELS.tolist(), strict=True):
        ratio = surprise(one, label) / surprise(other, label)
        found.append(1 + (ratio if direction == "printed" else 1 / ratio))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_weight_is_the_stored_one(file: Path) -> None:
    stored = dict(np.load(file))
    weigh = IPWDWeight(direction=file.stem.split("_")[1].split("-")[0])
    found = weigh(*(torch.from_numpy(stored[f"in.{n}_logits"]) for n in ("cls", "kd")),
                  torch.from_numpy(stored["in.labels"]))  # fmt: skip
    np.testing.assert_allclose(found.numpy(), stored["out.weights"], rtol=1e-6)


def test_both_directions_have_values() -> None:
    assert {file.stem.split("-")[0] for file in FILES} == {"ipwd_printed", "ipwd_inverse"}


@each_direction
def test_weights_are_two_where_the_classifiers_agree(direction: str) -> None:
    logits = normal(3, N, K)
    weights = IPWDWeight(direction=direction)(logits, 4 * logits + 7, LABELS)  # standardized
    torch.testing.assert_close(weights, torch.full((N,), 2.0).double(), rtol=1e-6, atol=0)


def test_printed_favors_what_is_distilled_well_and_inverse_what_is_not() -> None:
    sure, unsure = torch.tensor([[4.0, 0, 0, 0]]), torch.tensor([[1.0, 2.0, 0, 3.0]])
    label = torch.tensor([0])
    printed, inverse = (IPWDWeight(direction=direction) for direction in DIRECTIONS)
    assert printed(cls_logits=unsure, kd_logits=sure, labels=label) > 2
    assert printed(cls_logits=sure, kd_logits=unsure, labels=label) < 2
    assert inverse(cls_logits=unsure, kd_logits=sure, labels=label) < 2
    assert inverse(cls_logits=sure, kd_logits=unsure, labels=label) > 2
    # P = 1/w: the propensities of the two readings add up to one.
    pair = unsure, sure, label
    assert (1 / printed(*pair) + 1 / inverse(*pair)).item() == pytest.approx(1)


def test_labels_may_be_a_distribution() -> None:
    cls, kd = normal(4, N, K), normal(5, N, K)
    hard = IPWDWeight()(cls, kd, LABELS)
    torch.testing.assert_close(IPWDWeight()(cls, kd, F.one_hot(LABELS, K).double()), hard)
    mixed = 0.5 * F.one_hot(LABELS, K) + 0.5 * F.one_hot(LABELS.roll(1), K)
    found = IPWDWeight()(cls, kd, mixed.double())
    halves = [
        [
            (surprise(logits[n].tolist(), int(LABELS[n]))
             + surprise(logits[n].tolist(), int(LABELS.roll(1)[n]))) / 2
            for n in range(N)
        ]
        for logits in (cls, kd)
    ]  # fmt: skip
    expected = [1 + one / other for one, other in zip(*halves, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@each_direction
def test_clip_and_mean_one(direction: str) -> None:
    cls, kd = 3 * normal(6, N, K), 3 * normal(7, N, K)
    plain = torch.tensor(plain_weights(cls, kd, direction)).double()
    assert plain.min() < 1.5
    assert plain.max() > 2.5
    clipped = IPWDWeight(direction=direction, clip=(1.5, 2.5))(cls, kd, LABELS)
    torch.testing.assert_close(clipped, plain.clamp(1.5, 2.5), rtol=1e-6, atol=0)
    scaled = IPWDWeight(direction=direction, normalize=True)(cls, kd, LABELS)
    torch.testing.assert_close(scaled, plain / plain.mean(), rtol=1e-6, atol=0)
    both = IPWDWeight(direction=direction, clip=(1.5, 2.5), normalize=True)(cls, kd, LABELS)
    torch.testing.assert_close(both, clipped / clipped.mean())


@each_direction
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_sure_and_right_or_wrong_or_blank_stays_finite(direction: str, classes: int) -> None:
    """Of 1000 classes a sure logit stands 31.6 deviations out: float32 rounds its H to zero."""
    right = 500.0 * F.one_hot(torch.zeros(1, dtype=torch.int64), classes).float()
    for cls in (right, -right, right.roll(1, 1), torch.zeros(1, classes)):
        weights = IPWDWeight(direction=direction)(cls, right, torch.tensor([0]))
        assert weights.isfinite().all()
        assert weights.item() >= 1
    assert IPWDWeight(direction=direction)(right, right, torch.tensor([0])).item() == 2


@each_direction
@pytest.mark.parametrize(("alpha", "beta"), [(0.9, 0.1), (2.0, 1.0)])
def test_value_and_gradients_by_hand(direction: str, alpha: float, beta: float) -> None:
    """The weights of the hand-written version are plain numbers: nothing flows through them."""
    loss, given = make(direction=direction, alpha=alpha, beta=beta, temperature=3.0), signals()
    found = loss(**given)
    sum(found.values()).backward()

    head = loss.head.classifier
    student = given["student_logits"].detach().clone().requires_grad_()
    embedding = given["student_embedding"].detach().clone().requires_grad_()
    teacher = given["teacher_logits"].detach()
    cls = embedding @ head.weight.detach().T + head.bias.detach()
    weights = plain_weights(cls.detach(), student.detach(), direction)
    loss_cls, loss_kd = torch.zeros(()).double(), torch.zeros(()).double()
    for n in range(N):
        loss_cls = loss_cls + beta * (cls[n].exp().sum().log() - cls[n, LABELS[n]]) / N
        t, s = (teacher[n] / 3).softmax(0), (student[n] / 3).softmax(0)
        loss_kd = loss_kd + alpha * weights[n] * 9 * (t * (t / s).log()).sum() / N
    (loss_cls + loss_kd).backward()

    assert found["loss_cls"].item() == pytest.approx(loss_cls.item(), rel=1e-6)
    assert found["loss_kd"].item() == pytest.approx(loss_kd.item(), rel=1e-6)
    torch.testing.assert_close(given["student_logits"].grad, student.grad, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(given["student_embedding"].grad, embedding.grad)
    assert given["teacher_logits"].grad is None


def test_weights_carry_no_gradient_to_the_second_classifier() -> None:
    loss, given = make(alpha=100.0), signals()
    loss(**given)["loss_kd"].backward()
    assert given["student_embedding"].grad is None
    assert all(one.grad is None for one in loss.head.classifier.parameters())


def test_plain_kd_before_the_start() -> None:
    loss = make(start=0.5, alpha=0.7)
    early, late = loss(**signals(0.49)), loss(**signals(0.5))
    kd = KDLoss(temperature=4.0)(**{name: signals()[name] for name in KDLoss().signals})
    assert early["loss_kd"].item() == pytest.approx(0.7 * kd.item())
    assert late["loss_kd"].item() == pytest.approx(make(alpha=0.7)(**signals())["loss_kd"].item())
    assert late["loss_kd"] > 1.2 * early["loss_kd"]
    assert early["loss_cls"] == late["loss_cls"]


def test_normalized_and_in_agreement_it_is_kd() -> None:
    """A second classifier that says the same gives every sample the weight of KD."""
    loss, given = make(alpha=1.0, normalize=True), signals()
    given["student_logits"] = loss.head.classifier(given["student_embedding"]).detach()
    kd = KDLoss()(student_logits=given["student_logits"], teacher_logits=given["teacher_logits"])
    assert loss(**given)["loss_kd"].item() == pytest.approx(kd.item())


SAMPLES, EPOCHS = 9, 10
INDEX = torch.tensor([4, 0, 7, 2, 8, 5])


def make_self(kind: type[Any] = IPWDSelfLoss, **options: Any) -> Any:
    """With predictions from before of all samples of the batch but the last."""
    torch.manual_seed(0)
    loss = kind(**options)
    loss.build(SignalShapes({"student_embedding": (D,)}, num_classes=K, num_samples=SAMPLES))
    loss = loss.double()
    loss.bank.remember(INDEX[:-1], 2 * normal(8, N - 1, K))
    return loss


def own_signals(progress: float, seed: int = 0) -> dict[str, Any]:
    return dict(
        student_logits=(2 * normal(seed, N, K)).requires_grad_(),
        student_embedding=normal(1, N, D).requires_grad_(),
        targets=F.one_hot(LABELS, K).double(),
        index=INDEX,
        epoch=int(progress * EPOCHS),
        max_epochs=EPOCHS,
        progress=progress,
    )


def asked(loss: Any, given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in loss.signals}


def test_before_the_start_it_is_ps_kd_and_a_second_classifier() -> None:
    loss, plain = make_self(start=0.5), make_self(PSKDLoss)
    for step, progress in enumerate((0.0, 0.2, 0.49)):
        given, same = own_signals(progress, step), own_signals(progress, step)
        found, expected = loss(**asked(loss, given)), plain(**asked(plain, same))
        found["loss_past"].backward()
        expected.backward()
        torch.testing.assert_close(found["loss_past"], expected)
        gradient = given["student_logits"].grad
        torch.testing.assert_close(gradient, same["student_logits"].grad)
    assert torch.equal(loss.bank.logits, plain.bank.logits)


@each_direction
def test_self_by_hand(direction: str) -> None:
    loss, given = make_self(direction=direction, alpha=0.6, beta=0.3, start=0.5), own_signals(0.5)
    past = loss.bank.logits[INDEX].softmax(1)
    found = loss(**given)
    sum(found.values()).backward()

    head = loss.head.classifier
    student = given["student_logits"].detach().clone().requires_grad_()
    cls = (given["student_embedding"] @ head.weight.T + head.bias).detach()
    weights = plain_weights(cls, student.detach(), direction)
    share = 0.6 * (5 + 1) / EPOCHS
    expected = torch.zeros(()).double()
    for n in range(N):
        said = student[n].log_softmax(0)
        of_label, of_past = -said[LABELS[n]], -(past[n] * said).sum()
        if n == N - 1:  # nobody knows what was said of it
            expected = expected + of_label / N
        else:
            expected = expected + ((1 - share) * of_label + share * weights[n] * of_past) / N
    expected.backward()
    assert found["loss_past"].item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(given["student_logits"].grad, student.grad, rtol=1e-6, atol=1e-9)
    assert found["loss_cls"].item() == pytest.approx(0.3 * F.cross_entropy(cls, LABELS).item())


def test_the_bank_moves_in_training_only() -> None:
    loss, given = make_self(), own_signals(0.7)
    before = loss.bank.logits.clone()
    loss.eval()(**given)
    assert torch.equal(loss.bank.logits, before)
    loss.train()(**given)
    torch.testing.assert_close(loss.bank.logits[INDEX], given["student_logits"].detach())


def test_self_needs_the_number_of_samples() -> None:
    with pytest.raises(UserError, match="num_samples"):
        IPWDSelfLoss().build(SignalShapes({"student_embedding": (D,)}, num_classes=K))
