"""Running means of embeddings, one for each class. In checkpoints, never deployed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional import gather


class ClassMeans(nn.Module):
    """The mean of all embeddings seen so far of each class.

    Every rank holds the same means, bit by bit: all ranks add what all of them saw, in one order.
    All state is in buffers: a checkpoint resumes it exactly. No step waits for the device.

    Args:
        num_classes: K.
        dim: Length of an embedding.
    """

    means: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(num_classes, dim))
        self.register_buffer("counts", torch.zeros(num_classes, dtype=torch.int64))

    @torch.no_grad()
    def update(self, embeddings: Tensor, labels: Tensor) -> None:
        """Take the embeddings (N, dim) with the labels (N,) of all ranks into the means."""
        embeddings, labels = gather(embeddings), gather(labels)
        classes = torch.arange(len(self.counts), device=labels.device)
        # A product with a (K, N) matrix: sums by index have no fixed order on a GPU.
        members = (labels.unsqueeze(0) == classes.unsqueeze(1)).to(self.means.dtype)
        self.counts += members.sum(1).to(self.counts.dtype)
        change = members @ (embeddings - self.means[labels])
        self.means += change / self.counts.clamp_min(1).unsqueeze(1)
