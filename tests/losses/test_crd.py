"""CRD against a plain version with loops, resumed, and spread over two processes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import CRDLoss
from cls_kd.modules import ContrastiveBank
from cls_kd.signals.shapes import SignalShapes
from tests.distributed.test_two_processes import in_two

SAMPLES, DIM, NEGATIVES, TEMPERATURE, MOMENTUM = 12, 4, 6, 0.07, 0.5
STUDENT, TEACHER, CLASSES = 5, 7, 3
STATE = ("student", "teacher", "labels", "log_z", "step")


def make(samples: int | None = SAMPLES, seed: int = 0) -> CRDLoss:
    torch.manual_seed(seed)
    loss = CRDLoss(dim=DIM, negatives=NEGATIVES, temperature=TEMPERATURE, momentum=MOMENTUM)
    shapes = {"student_embedding": (STUDENT,), "teacher_embedding": (TEACHER,)}
    loss.build(SignalShapes(shapes, num_classes=CLASSES, num_samples=samples))
    return loss.double()


def batch(step: int, index: list[int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(step)
    places = torch.tensor(index)
    return dict(
        student_embedding=torch.randn(len(index), STUDENT, generator=generator).double(),
        teacher_embedding=torch.randn(len(index), TEACHER, generator=generator).double(),
        labels=places % CLASSES,
        index=places,
    )


BATCHES = [batch(0, [0, 3, 7, 11]), batch(1, [1, 3, 3, 8]), batch(2, [3, 0, 9, 1])]


def optimizer(loss: CRDLoss) -> torch.optim.Optimizer:
    return torch.optim.SGD(loss.parameters(), lr=0.05)


def train_step(loss: Any, optim: torch.optim.Optimizer, signals: dict[str, Tensor]) -> Tensor:
    optim.zero_grad()
    value = loss(**signals)
    value.backward()
    optim.step()
    return value.detach()


class Plain:
    """The formula of the authors' code, one sample and one negative at a time."""

    def __init__(self, loss: CRDLoss) -> None:
        self.layers = copy.deepcopy([loss.student_embed.linear, loss.teacher_embed.linear])
        self.banks = [loss.bank.student.clone(), loss.bank.teacher.clone()]
        self.z: list[float | None] = [None, None]

    def __call__(self, signals: dict[str, Tensor], places: Tensor) -> Tensor:
        embedded = []
        for role, layer in zip(("student", "teacher"), self.layers, strict=True):
            rows = layer(signals[f"{role}_embedding"])
            embedded.append(rows / rows.pow(2).sum(1, keepdim=True).sqrt())
        count = len(places)
        total = torch.zeros((), dtype=torch.float64)
        for side in (0, 1):
            other = self.banks[1 - side].clone()
            x = [
                [torch.exp(embedded[side][n] @ other[place] / TEMPERATURE) for place in places[n]]
                for n in range(count)
            ]
            if self.z[side] is None:
                mean = sum(value.item() for row in x for value in row) / (count * len(x[0]))
                self.z[side] = mean * SAMPLES
            noise = NEGATIVES / SAMPLES
            for row in x:
                own, *others = [value / self.z[side] for value in row]
                total = total - torch.log(own / (own + noise + 1e-7)) / count
                for value in others:
                    total = total - torch.log(noise / (value + noise + 1e-7)) / count
        for side in (0, 1):
            bank, before = self.banks[side], self.banks[side].clone()
            for n, place in enumerate(signals["index"].tolist()):
                row = MOMENTUM * before[place] + (1 - MOMENTUM) * embedded[side][n].detach()
                bank[place] = row / row.norm()  # of duplicates the last one stays
        return total


def test_against_the_plain_version() -> None:
    loss = make()
    plain = Plain(loss)
    loss_layers = (loss.student_embed.linear, loss.teacher_embed.linear)
    optim = optimizer(loss)
    plain_optim = torch.optim.SGD([p for layer in plain.layers for p in layer.parameters()], 0.05)
    drawn: list[Tensor] = []
    draw = loss.bank.draw

    def spy(*args: Any) -> Tensor:
        drawn.append(draw(*args))
        return drawn[-1]

    loss.bank.draw = spy
    for signals in BATCHES:
        value = train_step(loss, optim, signals)
        plain_optim.zero_grad()
        expected = plain(signals, drawn[-1])
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=1e-9, atol=0)
        for own, layer in zip(loss_layers, plain.layers, strict=True):
            torch.testing.assert_close(own.weight.grad, layer.weight.grad)
            torch.testing.assert_close(own.bias.grad, layer.bias.grad)
        plain_optim.step()
        torch.testing.assert_close(loss.bank.student, plain.banks[0])
        torch.testing.assert_close(loss.bank.teacher, plain.banks[1])
    torch.testing.assert_close(loss.bank.log_z.exp(), torch.tensor(plain.z, dtype=torch.float64))
    assert loss.bank.step == len(BATCHES)


def splitmix(word: int) -> int:
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


def test_negatives_are_a_hash_and_avoid_the_class() -> None:
    size, count, step = 50, 40, 3
    bank = ContrastiveBank(size, DIM, MOMENTUM)
    bank.step.fill_(step)
    known = torch.arange(size) % 5
    known[::7] = -1
    bank.labels.copy_(known)
    index, labels = torch.tensor([4, 13, 22]), torch.tensor([4, 3, 2])
    places = bank.draw(index, labels, count)
    known[index] = labels  # what came with this batch is known already
    assert places.shape == (3, 1 + count)
    assert torch.equal(places[:, 0], index)
    replaced = 0
    for sample, own, row in zip(index.tolist(), labels.tolist(), places.tolist(), strict=True):
        for number, place in enumerate(row[1:]):
            word = splitmix(splitmix(splitmix(step) + sample) + number)
            expected = (sample + 1 + word % 2**63 % (size - 1)) % size
            if known[expected] == own:
                expected = (sample + 1 + splitmix(word) % 2**63 % (size - 1)) % size
                replaced += 1
            assert place == expected
    assert replaced > 5


def test_negatives_cover_all_other_samples_and_change_with_the_step() -> None:
    bank = ContrastiveBank(10, DIM, MOMENTUM).eval()
    index = torch.tensor([2, 9])
    places = bank.draw(index, torch.tensor([0, 1]), 5000)
    for sample, row in zip(index.tolist(), places[:, 1:], strict=True):
        counts = torch.bincount(row, minlength=10)
        assert counts[sample] == 0
        others = counts[torch.arange(10) != sample]
        assert (others - 5000 / 9).abs().max() < 5 * (5000 / 9) ** 0.5
    bank.step += 1
    again = bank.draw(index, torch.tensor([0, 1]), 5000)
    assert (again[:, 1:] == places[:, 1:]).double().mean() < 0.2


def test_distinct_negatives_are_drawn_without_replacement_from_other_classes() -> None:
    """As HobbitLong/RepDistiller's dataset/cifar100.py: choice(others, m, replace=False)."""
    bank = ContrastiveBank(60, DIM, MOMENTUM, "distinct").eval()
    bank.labels.copy_(torch.arange(60) % 3)
    index = torch.tensor([4, 13])
    counts = torch.zeros(2, 60)
    for step in range(300):
        bank.step.fill_(step)
        places = bank.draw(index, index % 3, 20)
        assert torch.equal(places[:, 0], index)
        assert all(len(set(row.tolist())) == 21 for row in places)
        counts.scatter_add_(1, places[:, 1:], torch.ones(2, 20))
    others = bank.labels != (index % 3).unsqueeze(1)
    assert counts[~others].max() == 0
    assert counts[others].mean().item() == 150  # 300 times 20 of 40
    assert (counts[others] - 150).abs().max() < 5 * (300 * 0.5 * 0.5) ** 0.5
    every = bank.draw(index, index % 3, 59)
    assert all(sorted(row.tolist()) == list(range(60)) for row in every)


def test_distinct_negatives_need_no_wait_for_the_device() -> None:
    """On the meta device, where a number cannot be read, drawing works."""
    bank = ContrastiveBank(60, DIM, MOMENTUM, "distinct").to("meta").eval()
    index = torch.zeros(2, dtype=torch.int64, device="meta")
    assert bank.draw(index, index, 20).shape == (2, 21)


def test_distinct_negatives_of_too_small_a_set_are_independent() -> None:
    banks = [ContrastiveBank(10, DIM, MOMENTUM, draws) for draws in ("independent", "distinct")]
    index = torch.tensor([2, 9])
    first, second = (bank.draw(index, index % 3, 10) for bank in banks)
    assert torch.equal(first, second)
    with pytest.raises(UserError, match="draws is 'independent' or 'distinct', not 'other'"):
        CRDLoss(draws="other")


def test_known_classes_are_hardly_ever_negatives() -> None:
    bank = ContrastiveBank(1000, DIM, MOMENTUM).eval()
    bank.labels.copy_(torch.arange(1000) % 10)
    index = torch.arange(8)
    places = bank.draw(index, index % 10, 4000)
    same = (bank.labels[places[:, 1:]] == (index % 10).unsqueeze(1)).double().mean()
    assert same < 0.015  # 0.1 once, 0.01 twice


def test_of_duplicates_the_last_counts() -> None:
    bank = ContrastiveBank(5, DIM, MOMENTUM)
    before = bank.student[3].clone()
    rows = torch.nn.functional.normalize(torch.randn(4, DIM), dim=1)
    bank.update(torch.tensor([3, 1, 3, 3]), rows, rows)
    expected = torch.nn.functional.normalize(MOMENTUM * before + (1 - MOMENTUM) * rows[3], dim=0)
    torch.testing.assert_close(bank.student[3], expected)


def test_a_bank_starts_alike_whatever_the_seed() -> None:
    banks = [make(seed=seed).bank for seed in (0, 1)]
    for name in STATE:
        assert torch.equal(getattr(banks[0], name), getattr(banks[1], name)), name


def test_evaluation_leaves_the_bank_alone() -> None:
    loss = make()
    train_step(loss, optimizer(loss), BATCHES[0])
    before = copy.deepcopy(loss.state_dict())
    loss.eval()(**BATCHES[1])
    for name, value in loss.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_resumes_exactly(tmp_path: Path) -> None:
    straight = make()
    optim = optimizer(straight)
    for signals in BATCHES[:2]:
        train_step(straight, optim, signals)
    torch.save(straight.state_dict(), tmp_path / "state.pth")

    resumed = make(seed=9)
    resumed.load_state_dict(torch.load(tmp_path / "state.pth", weights_only=True))
    values = [train_step(one, optimizer(one), BATCHES[2]) for one in (straight, resumed)]
    assert values[0] == values[1]
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("index", [[0, SAMPLES], [-1, 0]])
def test_an_index_outside_the_bank_is_refused(index: list[int]) -> None:
    with pytest.raises(UserError, match=f"training set of {SAMPLES} samples"):
        make()(**(batch(0, [0, 1]) | {"index": torch.tensor(index)}))


@pytest.mark.parametrize("samples", [None, 0, 1])
def test_the_length_of_the_training_set_is_needed(samples: int | None) -> None:
    with pytest.raises(UserError, match="length of the training set"):
        make(samples)


def test_more_negatives_than_samples() -> None:
    loss = CRDLoss(dim=DIM)
    shapes = {"student_embedding": (STUDENT,), "teacher_embedding": (TEACHER,)}
    loss.build(SignalShapes(shapes, num_classes=CLASSES, num_samples=SAMPLES))
    signals = {
        name: value.float() if value.is_floating_point() else value
        for name, value in BATCHES[0].items()
    }
    assert loss(**signals).isfinite()


def run_rank(folder: Path) -> None:
    """One of two processes: its half of every batch, gradients averaged by DDP."""
    rank = dist.get_rank()
    loss = make(seed=rank)  # rank 0's layers win, as DDP has it
    wrapped = torch.nn.parallel.DistributedDataParallel(
        loss, broadcast_buffers=False, find_unused_parameters=False
    )
    optim = optimizer(loss)
    steps = []
    for signals in BATCHES:
        half = len(signals["index"]) // 2
        own = {name: value[rank * half : (rank + 1) * half] for name, value in signals.items()}
        value = train_step(wrapped, optim, own)
        gradients = {name: p.grad.clone() for name, p in loss.named_parameters()}
        steps.append(dict(value=value, gradients=gradients, state=copy.deepcopy(loss.state_dict())))
    torch.save(steps, f"{folder}/rank{rank}.pth")


@pytest.mark.ddp
def test_two_processes_are_one(tmp_path: Path) -> None:
    """The second batch has a duplicate index, 3, once on each rank."""
    assert in_two(run_rank, tmp_path) == [0, 0]
    ranks = [torch.load(tmp_path / f"rank{rank}.pth", weights_only=True) for rank in (0, 1)]
    loss = make()
    optim = optimizer(loss)
    for signals, first, second in zip(BATCHES, *ranks, strict=True):
        value = train_step(loss, optim, signals)
        torch.testing.assert_close((first["value"] + second["value"]) / 2, value)
        for name, parameter in loss.named_parameters():
            torch.testing.assert_close(first["gradients"][name], parameter.grad)
        for name, expected in loss.state_dict().items():
            assert torch.equal(first["state"][name], second["state"][name]), name
            torch.testing.assert_close(first["state"][name], expected)
