"""Entries of a list of runs that stand for several runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.registry import Registry

from cls_kd.errors import UserError, did_you_mean

# Functions: a config and options in, entries of its list of runs out. No child of mmpretrain's
# registries, as cls_kd.registry has them: these import torch.
RUN_LISTS = Registry("list of runs", scope="cls_kd", locations=["cls_kd.runs.generations"])


def run_list(kind: Any) -> Callable[..., list[dict[str, Any]]]:
    """The function that makes runs of an entry with this ``type``.

    Raises:
        UserError: There is no such function.
    """
    function = RUN_LISTS.get(kind) if isinstance(kind, str) else kind
    if function is None:
        known = did_you_mean(str(kind), RUN_LISTS.module_dict)
        raise UserError(f"There is no list of runs of the type {kind!r}.{known}")
    return function
