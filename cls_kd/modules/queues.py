"""Queues of embeddings of earlier batches. In checkpoints, never deployed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import gather


class EmbeddingQueue(nn.Module):
    """The last ``size`` embeddings of unit length, of all processes: first in, first out.

    Every rank holds the same queue: it starts from fixed random directions, and all ranks write
    what all of them saw. All state is in buffers: a checkpoint resumes it exactly. No step waits
    for the device.

    Args:
        size: Number of embeddings.
        dim: Length of an embedding.
    """

    rows: Tensor
    pointer: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        start = torch.randn(size, dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("rows", F.normalize(start, dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, embeddings: Tensor) -> None:
        """Write the embeddings (N, dim) of all ranks in place of the oldest.

        Raises:
            UserError: The global batch is larger than the queue.
        """
        new, size = gather(embeddings), len(self.rows)
        if len(new) > size:
            raise UserError(
                f"A queue of {size} embeddings is too short for a global batch of {len(new)} "
                "images: it must hold at least one batch."
            )
        places = (self.pointer + torch.arange(len(new), device=new.device)) % size
        self.rows.index_copy_(0, places, new.to(self.rows.dtype))
        self.pointer.copy_((self.pointer + len(new)) % size)
