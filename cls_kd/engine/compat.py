"""Every work-around that the installed stack needs, each with the reason why. Nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn
from torch.distributed import init_process_group

from cls_kd.registry import OPTIM_WRAPPERS


def forbid_unpickling() -> None:
    """From here on ``torch.load`` of this process loads weights only.

    MMEngine's loader falls back to unpickling anything, so that a hostile checkpoint runs code.
    """
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def without_code(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint without ``meta.config``, which MMEngine's resume executes as Python."""
    meta = {key: value for key, value in checkpoint.get("meta", {}).items() if key != "config"}
    return {**checkpoint, "meta": meta}


def init_distributed(launcher: str) -> None:
    """Start the process group on a machine without a GPU; with one, MMEngine's Runner does it.

    MMEngine calls CUDA even where the backend is gloo; it leaves a group that stands alone.
    """
    if launcher == "none" or torch.cuda.is_available() or torch.distributed.is_initialized():
        return
    if launcher == "slurm":
        _environment_from_slurm()
    init_process_group(backend="gloo")


def _environment_from_slurm() -> None:
    os.environ["RANK"] = os.environ["SLURM_PROCID"]
    os.environ["LOCAL_RANK"] = os.environ.get("SLURM_LOCALID", "0")
    os.environ["WORLD_SIZE"] = os.environ["SLURM_NTASKS"]
    first = os.environ["SLURM_NODELIST"].split(",")[0].replace("[", "").split("-")
    os.environ.setdefault("MASTER_ADDR", "-".join(first[:2]) if len(first) > 1 else first[0])
    os.environ.setdefault("MASTER_PORT", "29500")


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Autocast to bfloat16 on the CPU, which MMEngine's AmpOptimWrapper refuses; no scaling."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, inside what the base class does (gradient accumulation)."""
        with super().optim_context(model), torch.autocast("cpu", dtype=torch.bfloat16):
            yield


def amp_wrapper(wrapper: dict[str, Any]) -> dict[str, Any]:
    """The config of an optimizer wrapper with automatic mixed precision on the device at hand.

    bfloat16 where the device has it, else float16 with dynamic loss scaling; ``dtype`` in the
    config decides otherwise.
    """
    if not torch.cuda.is_available():
        kept = {key: value for key, value in wrapper.items() if key not in ("dtype", "loss_scale")}
        return {**kept, "type": CPUAmpOptimWrapper}
    dtype = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return {"loss_scale": "dynamic", "dtype": dtype, **wrapper, "type": "AmpOptimWrapper"}
