"""Batch normalization before the last ReLU of a stage: its weight and bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals.heads import describe
from cls_kd.signals.tap import Tap

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def norm_before(network: nn.Module, tap: Tap) -> nn.Module:
    """The batch norm whose output reaches a tap of ``preacts``.

    Where the tap is a module's output: that module, or the last batch norm in it. Where it is the
    input of a ReLU: the last batch norm beside the ReLU, in a sequence the last one in front of it.
    In a residual block that is the norm of the residual branch, before the shortcut is added.

    Raises:
        UserError: There is none, or it has no weight.
    """
    if tap.side == "output":
        candidates = list(network.get_submodule(tap.module).modules())
    else:
        path, _, name = tap.module.rpartition(".")
        parent = network.get_submodule(path)
        children = dict(parent.named_children())
        names = list(children)
        end = names.index(name) if isinstance(parent, nn.Sequential) else len(names)
        candidates = [children[name] for name in names[:end]]
    norms = [module for module in candidates if isinstance(module, BATCH_NORMS)]
    if not norms or norms[-1].weight is None:
        raise UserError(
            f"{describe(network)} has no batch norm with weight and bias before "
            f"{tap.module!r}, its tap of `preacts`: `teacher_preact_norms` are not known. Name "
            "other modules, teacher=dict(taps=dict(preacts=...))."
        )
    return norms[-1]


def norm_parameters(norm: nn.Module) -> Tensor:
    """Weight and bias of a batch norm, (2, C)."""
    return torch.stack([norm.weight, norm.bias])  # type: ignore[list-item]
