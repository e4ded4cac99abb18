"""Memory banks: one entry per training sample. In checkpoints, never deployed."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import gather, hash_integers

_LARGEST = 2**63 - 1
_HALF = _LARGEST >> 1

Draws = Literal["independent", "distinct"]
"""Sampling of the negatives of one sample."""


class ContrastiveBank(nn.Module):
    """One embedding per training sample and network, and a rule that draws negatives.

    Every rank holds the same bank, bit by bit: it starts from fixed numbers, all ranks write what
    all of them saw (equal batches per rank are assumed, as MMEngine's sampler makes them), and of
    an index that comes twice in one global batch the last one counts. Negatives are a hash of
    (step, sample, number of the draw), so they depend neither on the rank nor on a generator. All
    state is in buffers: a checkpoint resumes it exactly. No step waits for the device.

    Args:
        num_samples: Length of the training set, at least 2.
        dim: Length of an embedding.
        momentum: Fraction of the old embedding that an update keeps.
        draws: Sampling of the negatives of one sample. ``'independent'``: each for itself, so that
            some come twice. ``'distinct'``: without replacement, of the samples that are not known
            to be of the same class; where these are fewer than asked for, the others follow, and
            where the whole training set is too small, draws are independent.
    """

    student: Tensor
    teacher: Tensor
    labels: Tensor
    log_z: Tensor
    step: Tensor

    def __init__(
        self, num_samples: int, dim: int, momentum: float, draws: Draws = "independent"
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.draws = draws
        generator = torch.Generator().manual_seed(0)
        bound = math.sqrt(3 / dim)
        for role in ("student", "teacher"):
            start = torch.rand(num_samples, dim, generator=generator) * 2 * bound - bound
            self.register_buffer(role, start)
        self.register_buffer("labels", torch.full((num_samples,), -1))
        self.register_buffer("log_z", torch.zeros(2))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def draw(self, index: Tensor, labels: Tensor, count: int) -> Tensor:
        """Rows of each sample and of its negatives: (N,) -> (N, 1 + count), the sample's own first.

        A negative is never the sample itself. An independent one that is known to be of the
        sample's class is replaced by a second draw, which stands.

        Raises:
            UserError: An index is outside the bank (seen on the CPU only; a device would have to
                be waited for, and stops with its own assertion).
        """
        _check_index(index, len(self.labels))
        if self.training:
            seen, classes = gather(torch.stack([index, labels], 1)).unbind(1)
            self.labels.index_copy_(0, seen, classes[_last_of_each(seen)])
        keys = hash_integers(hash_integers(self.step) + index).unsqueeze(1)  # (N, 1)
        rule = {"independent": self._independent, "distinct": self._distinct}[self.draws]
        return torch.cat([index.unsqueeze(1), rule(keys, index, labels, count)], 1)

    @staticmethod
    def compare(embedding: Tensor, bank: Tensor, rows: Tensor) -> Tensor:
        """Inner products of (N, dim) embeddings with the bank's ``rows`` (N, M): (N, M).

        The product with the whole bank is N * num_samples numbers; the rows gathered would be
        N * M * dim, which for M = 16385 is more up to two million samples.
        """
        # A copy, for the bank moves on before backward needs these rows.
        return (embedding @ bank.clone().t()).gather(1, rows)

    def log_constants(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Logarithm of both Z, (2,): fixed by the scores (N, M) of the first global batch.

        ``Z = num_samples * mean(exp(score))``, one for each kind of scores.
        """
        rows = torch.stack([student.logsumexp(1), teacher.logsumexp(1)], 1).detach()
        rows = gather(rows)  # in every step: whether it is the first one only the device knows
        count = len(rows) * student.shape[1]
        first = rows.logsumexp(0) + math.log(len(self.labels) / count)
        log_z = torch.where(self.step == 0, first, self.log_z)
        if self.training:
            self.log_z.copy_(log_z)
        return log_z

    @torch.no_grad()
    def update(self, index: Tensor, student: Tensor, teacher: Tensor) -> None:
        """Move the rows of ``index`` towards the new embeddings (N, dim) of all ranks."""
        index, new = gather(index), gather(torch.cat([student, teacher], 1))
        new = new[_last_of_each(index)]
        for bank, row in zip((self.student, self.teacher), new.chunk(2, dim=1), strict=True):
            moved = self.momentum * bank[index] + (1 - self.momentum) * row
            bank.index_copy_(0, index, F.normalize(moved, dim=1))
        self.step += 1

    def _independent(self, keys: Tensor, index: Tensor, labels: Tensor, count: int) -> Tensor:
        words = hash_integers(keys + torch.arange(count, device=index.device))  # (N, count)
        first, second = self._other(index, words), self._other(index, hash_integers(words))
        return torch.where(self.labels[first] == labels.unsqueeze(1), second, first)

    def _distinct(self, keys: Tensor, index: Tensor, labels: Tensor, count: int) -> Tensor:
        size = len(self.labels)
        if count >= size:
            return self._independent(keys, index, labels, count)
        rows = torch.arange(size, device=index.device)
        # A random order of the whole training set, in which the class and the sample come last.
        order = hash_integers(keys + rows) & _HALF  # (N, num_samples)
        order += (self.labels == labels.unsqueeze(1)) * _HALF
        order = torch.where(rows == index.unsqueeze(1), _LARGEST, order)
        return order.topk(count, dim=1, largest=False, sorted=False).indices

    def _other(self, index: Tensor, words: Tensor) -> Tensor:
        """Random words as rows of other samples: 1 to num_samples - 1 rows further on."""
        size = len(self.labels)
        return (index.unsqueeze(1) + 1 + (words & _LARGEST) % (size - 1)) % size


class PredictionBank(nn.Module):
    """The logits that a network last gave for each training sample.

    Every rank holds the same bank, as in :class:`ContrastiveBank`: all ranks write what all of
    them saw, and of an index that comes twice in one global batch the last one counts. All state is
    in buffers: a checkpoint resumes it exactly. No step waits for the device.

    Memory, and size in a checkpoint: ``4 * num_samples * num_classes`` bytes.

    Args:
        num_samples: Length of the training set.
        num_classes: K.
    """

    logits: Tensor
    known: Tensor

    def __init__(self, num_samples: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(num_samples, num_classes))
        self.register_buffer("known", torch.zeros(num_samples, dtype=torch.bool))

    def recall(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, K) of the samples at ``index`` and whether there are any yet, (N,) bool.

        Logits that are not known are zeros.

        Raises:
            UserError: See :meth:`ContrastiveBank.draw`.
        """
        _check_index(index, len(self.known))
        return self.logits[index], self.known[index]

    @torch.no_grad()
    def remember(self, index: Tensor, logits: Tensor) -> None:
        """Keep the logits (N, K) of the samples at ``index``, of all ranks."""
        index, logits = gather(index), gather(logits.detach())
        self.logits.index_copy_(0, index, logits[_last_of_each(index)].to(self.logits.dtype))
        self.known.index_fill_(0, index, True)


def _check_index(index: Tensor, size: int) -> None:
    if index.device.type == "cpu" and bool(((index < 0) | (index >= size)).any()):
        raise UserError(
            f"The index of a sample is {int(index.min())} to {int(index.max())} in this batch, "
            f"but the bank was built for a training set of {size} samples."
        )


def _last_of_each(index: Tensor) -> Tensor:
    """Position of the last entry with the same index: duplicates then write one and the same."""
    same = index.unsqueeze(0) == index.unsqueeze(1)
    return (same * torch.arange(len(index), device=index.device)).amax(1)
