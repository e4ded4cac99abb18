"""Mean predictions of each class, epoch by epoch. In checkpoints, never deployed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import gather


class ClassPredictions(nn.Module):
    """Mean softmax of the correctly classified samples of each class, of the epoch before.

    Every rank holds the same sums: all ranks add what all of them saw. All state is in buffers, the
    epoch too: which epoch the sums are of is known to the device alone, and is never waited for.

    Args:
        num_classes: K.

    Attributes:
        soft_labels: (K, K), row c for class c; uniform until an epoch is complete.
    """

    soft_labels: Tensor
    sums: Tensor
    counts: Tensor
    epoch: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("soft_labels", torch.full((num_classes, num_classes), 1 / num_classes))
        self.register_buffer("sums", torch.zeros(num_classes, num_classes))
        self.register_buffer("counts", torch.zeros(num_classes))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def begin(self, epoch: int) -> None:
        """Make the soft labels from the sums where a new epoch begins, and clear these."""
        is_new = self.epoch != epoch
        counts = self.counts.unsqueeze(1)
        means = torch.where(counts > 0, self.sums / counts.clamp_min(1), 1 / len(self.counts))
        self.soft_labels.copy_(torch.where(is_new, means, self.soft_labels))
        self.sums.copy_(torch.where(is_new, 0, self.sums))
        self.counts.copy_(torch.where(is_new, 0, self.counts))
        self.epoch.fill_(epoch)

    @torch.no_grad()
    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Add the predictions (N, K) of all ranks to their classes, where they are right."""
        logits, labels = gather(logits.detach()), gather(labels)
        correct = (logits.argmax(1) == labels).to(self.sums.dtype)
        scores = F.softmax(logits, dim=1).to(self.sums.dtype)
        self.sums.index_add_(0, labels, scores * correct.unsqueeze(1))
        self.counts.index_add_(0, labels, correct)
