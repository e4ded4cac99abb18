"""Work-arounds for the installed stack, each with the reason why."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from mmengine.dist import init_dist
from mmengine.hooks import EarlyStoppingHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.distributed import init_process_group

from cls_kd.errors import UserError
from cls_kd.registry import OPTIM_WRAPPERS, resolve

ParamScheduler = _ParamScheduler
"""Base class of all schedules, which has no public name."""
_GLOBALLY_ACCESSIBLE: tuple[Any, ...] = (DefaultScope, MessageHub, MMLogger, Visualizer)
# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def prepare_process(scope: str = "cls_kd") -> None:
    """Set up this process to build networks and data: at the start of each command and training.

    Args:
        scope: The registry in which names are looked up first.
    """
    init_default_scope(scope)
    forbid_unpickling()


def forbid_unpickling() -> None:
    """From here on ``torch.load`` of this process loads weights only.

    MMEngine's loader falls back to unpickling anything, so that a hostile checkpoint runs code.
    """
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def keep_freed_memory() -> None:
    """Let the C library keep what this process frees, up to 1 GiB, for the next step.

    glibc gives large blocks back to the system, which then hands them out page by page again: on
    the CPU that takes a tenth of a small network's step. Elsewhere nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option in _TRIM_THRESHOLD, _MMAP_THRESHOLD:
            mallopt(option, 2**30)


def without_code(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint without ``meta.config``, which MMEngine's resume executes as Python."""
    meta = {key: value for key, value in checkpoint.get("meta", {}).items() if key != "config"}
    return {**checkpoint, "meta": meta}


def init_distributed(launcher: str, timeout: float = 300.0) -> None:
    """Start the process group, before anything asks for the rank (samplers do when they are built).

    MMEngine calls CUDA even where the backend is gloo; it leaves a group that stands alone.

    Args:
        launcher: ``none``, ``pytorch`` or ``slurm``.
        timeout: Seconds after which a process that waits for others ends with an error.
    """
    if launcher == "none" or torch.distributed.is_initialized():
        return
    if launcher == "slurm":
        _environment_from_slurm()
    if torch.cuda.is_available():
        # Both launchers' variables are there by now.
        init_dist("pytorch", backend="nccl", timeout=timeout)
    else:
        init_process_group(backend="gloo", timeout=timedelta(seconds=timeout))


def _environment_from_slurm() -> None:
    """Environment of ``torch.distributed``, from what ``srun`` sets (MMEngine's needs a GPU)."""
    step = {name: os.environ.get(f"SLURM_{name}") for name in ("PROCID", "NTASKS", "NODELIST")}
    missing = [f"SLURM_{name}" for name, value in step.items() if not value]
    if missing:
        raise UserError(f"--launcher slurm works under srun only: {', '.join(missing)} is not set.")
    os.environ["RANK"] = str(step["PROCID"])
    os.environ["WORLD_SIZE"] = str(step["NTASKS"])
    os.environ["LOCAL_RANK"] = os.environ.get("SLURM_LOCALID", "0")
    # The list of one step may be shorter than that of the job it runs in.
    nodes = os.environ.get("SLURM_STEP_NODELIST") or str(step["NODELIST"])
    if "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_host(nodes)
    os.environ.setdefault("MASTER_PORT", _port_of_job())


def _first_host(nodes: str) -> str:
    """``'gpu[03-07,11],login1'`` is Slurm's own short form: Slurm expands it."""
    try:
        command = ["scontrol", "show", "hostnames", nodes]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"scontrol could not expand the node list {nodes!r} ({error}): set MASTER_ADDR to the "
            "name of the first node."
        ) from error
    if not listed:
        raise UserError(f"scontrol names no host for the node list {nodes!r}: set MASTER_ADDR.")
    return listed[0]


def _port_of_job() -> str:
    # Two jobs on one node must not meet at one port.
    job = os.environ.get("SLURM_JOB_ID", "")
    return str(20000 + int(job) % 10000) if job.isdigit() else "29500"


def resume_from(runner: Runner, checkpoint: str) -> None:
    """Let a runner go on from a checkpoint: MMEngine takes it when it is built, from a config."""
    runner._resume, runner._load_from = True, checkpoint


def resumed_checkpoint(runner: Runner) -> str | None:
    """The checkpoint that a runner goes on from."""
    return runner._load_from


def stops_training(hook: EarlyStoppingHook, score: float) -> bool:
    """Show a score to early stopping, and ask if it is enough."""
    return hook._check_stop_condition(score)[0]


def current_instances() -> tuple[str | None, ...]:
    """Names of the logger, the message hub, ... that parts of MMEngine find without a runner."""
    return tuple(next(reversed(kind._instance_dict), None) for kind in _GLOBALLY_ACCESSIBLE)


def make_current(names: tuple[str | None, ...]) -> None:
    """Let parts of MMEngine find these instances: several runners take turns in one process.

    Args:
        names: From `current_instances`.
    """
    for kind, name in zip(_GLOBALLY_ACCESSIBLE, names, strict=True):
        if name in kind._instance_dict:
            kind._instance_dict.move_to_end(name)


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

    bfloat16 where the device has it, else float16 with dynamic loss scaling; ``dtype`` and
    ``loss_scale`` in the config decide otherwise.
    """
    kind = resolve(OPTIM_WRAPPERS, wrapper.get("type", "OptimWrapper"))
    if getattr(kind, "casts_by_itself", False):
        return {"dtype": "bfloat16", **wrapper}
    if not torch.cuda.is_available():
        kept = {key: value for key, value in wrapper.items() if key not in ("dtype", "loss_scale")}
        return {**kept, "type": CPUAmpOptimWrapper}
    dtype = wrapper.get("dtype", str(amp_dtype()).removeprefix("torch."))
    # bfloat16 reaches as far as float32: scaling would only make the host wait in every step.
    scale = {"enabled": False} if dtype == "bfloat16" else "dynamic"
    return {"loss_scale": scale, **wrapper, "dtype": dtype, "type": "AmpOptimWrapper"}


def keep_gradient_norm(wrapper: OptimWrapper) -> Callable[[], dict[str, torch.Tensor]]:
    """Let gradient clipping leave the norm on the device, where MMEngine fetches it in every step.

    Args:
        wrapper: Clips gradients, or does not.

    Returns:
        A function that gives the last norm, by the name that MMEngine logs it under.
    """
    kept: dict[str, torch.Tensor] = {}
    if getattr(wrapper, "clip_grad_kwargs", None):
        clip = wrapper.clip_func

        def clip_and_keep(*args: Any, **options: Any) -> None:
            norm = clip(*args, **options)
            if norm is not None:
                kept[wrapper.grad_name] = norm

        wrapper.clip_func = clip_and_keep
    return lambda: dict(kept)


def amp_dtype() -> torch.dtype:
    """The half-precision type of the device at hand: bfloat16 where it has it."""
    if torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16
