"""Trainings whose processes are started again, or are fewer, when one was lost."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.dist import all_reduce, get_world_size, is_distributed, is_main_process
from mmengine.logging import print_log

from cls_kd.errors import UserError
from cls_kd.launches import launch_folder, planned_processes

_BEGUN = "begun"


def take_the_place() -> bool:
    """True if these processes take the place of others, of which one was lost.

    Every process of a training calls this once, before it begins.
    """
    folder = launch_folder()
    begun = folder is not None and (folder / _BEGUN).exists()
    if is_distributed():
        # By then all of this machine have looked, and one may note that they were here.
        flag = torch.tensor(int(begun))
        all_reduce(flag, "max")
        begun = bool(flag)
    if folder is not None:
        (folder / _BEGUN).touch()
    return begun


def keep_global_batch(cfg: Config) -> None:
    """Let fewer processes than planned train with the same number of images in each update.

    They accumulate gradients over several batches. With ``auto_scale_lr.enable`` the learning rate
    follows the smaller batch instead, and nothing is changed here.

    Args:
        cfg: A resolved config, which is changed.

    Raises:
        UserError: The present processes do not divide the planned ones.
    """
    present, planned = get_world_size(), planned_processes()
    if planned is None or planned == present:
        return
    where = f"{present} of {planned} processes are there"
    if (cfg.get("auto_scale_lr") or {}).get("enable"):
        _log(f"{where}: auto_scale_lr scales the learning rate to the smaller batch.")
        return
    if planned % present:
        raise UserError(
            f"{where}: their batches cannot make up the planned one by accumulation. Set "
            "auto_scale_lr.enable=True, or let a number of machines go on that divides it."
        )
    factor = planned // present
    counts = cfg.optim_wrapper.get("accumulative_counts", 1) * factor
    cfg.optim_wrapper.accumulative_counts = counts
    _log(f"{where}: gradients of {factor} batches make one update, so that it sees as many images.")


def _log(text: str) -> None:
    if is_main_process():
        print_log(text, logger="current")
        print(text, flush=True)
