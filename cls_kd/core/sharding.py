"""A frozen network in parts, one part on each process (FSDP2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch import distributed as dist

from cls_kd.errors import UserError

DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""Types of numbers that a teacher can be kept in, by their names."""


def checked_dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """The type of a teacher's parameters; None to leave it.

    Raises:
        UserError: It is none of `DTYPES`.
    """
    if dtype is None or dtype in DTYPES.values():
        return dtype  # type: ignore[return-value]
    if dtype not in DTYPES:
        raise UserError(f"The teacher's dtype is {', '.join(DTYPES)}, not {dtype!r}.")
    return DTYPES[str(dtype)]


def shard(network: nn.Module) -> str:
    """Divide the parameters of a network among all processes, in place.

    Each block is gathered before it runs and freed after it, so that a process holds its part of
    the network and one whole block. With one process nothing is divided.

    Args:
        network: Frozen, and whole on each process. Blocks are the items of its longest
            ``nn.Sequential`` or ``nn.ModuleList``.

    Returns:
        One sentence for the log.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return "It is not sharded: there is one process."
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    processes = dist.get_world_size()
    mesh = init_device_mesh("cuda" if dist.get_backend() == "nccl" else "cpu", (processes,))
    blocks = longest_list(network)
    done = f"It is sharded over {processes} processes, in {len(blocks)} blocks."
    if isinstance(network, FSDPModule):
        return done
    # FSDP2 leaves the outermost part whole for a backward pass, which a teacher does not have.
    for module in (*blocks, network):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
    return done


def check_whole(callables: Sequence[str]) -> None:
    """Refuse signals that run a part of a sharded teacher.

    Raises:
        UserError: Which one is asked for.
    """
    if callables:
        raise UserError(
            f"A loss asks for {callables[0]!r}, which runs a part of the teacher on its own; a "
            "sharded one runs as a whole: leave shard=True out."
        )


def longest_list(network: nn.Module) -> list[nn.Module]:
    """The items of the longest ``nn.Sequential`` or ``nn.ModuleList`` in a network."""
    lists = [
        list(module.children())
        for module in network.modules()
        if isinstance(module, nn.Sequential | nn.ModuleList)
    ]
    return max(lists, key=len, default=[])


def digest_of(network: nn.Module) -> str:
    """SHA-256 of every parameter and buffer of a network, sharded or not."""
    hasher = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        hasher.update(key.encode())
        tensor = whole(value.detach()).cpu().contiguous()
        hasher.update(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
    return hasher.hexdigest()


def whole(value: Tensor) -> Tensor:
    """A tensor; of a sharded one all parts, gathered from all processes."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value
