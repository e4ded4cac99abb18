"""Published checkpoints of other code in the names of our networks.

The layout of a file is detected: it is the one whose renamed keys and shapes are exactly the
network's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.layouts import LAYOUTS
from cls_kd.distillers.weights import check_match, load_weights
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe

Part: TypeAlias = Literal["student", "teacher"]


_GROUP = re.compile(r"\{(\d)(?:-(\d))?\}")
FORMATS = (".pth", ".safetensors")


def read_foreign(source: str | Path, part: Part = "student") -> dict[str, Tensor]:
    """The weights in a published file, under the names that they have there.

    Args:
        source: Path or URL. Read as data; nothing in it is run.
        part: Which network, where the file holds a whole distiller (mdistiller's resume files).

    Raises:
        UserError: It cannot be read, or holds something other than weights.
    """
    weights = weights_in(read_checkpoint(source), str(source))
    roles = [
        role for role in ("student", "teacher") if any(k.startswith(f"{role}.") for k in weights)
    ]
    if not roles:
        return weights
    if part not in roles:
        raise UserError(f"The checkpoint {source} holds no {part}: it holds a {roles[0]}.")
    prefix = f"{part}."
    return {key.removeprefix(prefix): w for key, w in weights.items() if key.startswith(prefix)}


def convert(
    weights: Mapping[str, Tensor], network: nn.Module, source: str
) -> tuple[dict[str, Tensor], str]:
    """Weights under the network's own names, all of them and no more.

    Counters of batch norm, which old files lack, start at zero. An axis of length one may be
    missing or too many.

    Returns:
        The state dict, and the name of the layout.

    Raises:
        UserError: No layout fits; the first keys that are missing, left over or of another shape in
            the nearest one.
    """
    expected = network.state_dict()
    if set(weights) == set(expected):
        raise UserError(f"The checkpoint {source} has our names already: use it as it is.")
    candidates = {name: _renamed(weights, name, expected) for name in LAYOUTS}
    name = max(candidates, key=lambda layout: len(set(candidates[layout]) & set(expected)))
    check_match(network, expected, candidates[name], source)
    return {key: candidates[name][key] for key in expected}, name


def convert_file(
    source: str | Path, network: nn.Module, out: str | Path, part: Part = "student"
) -> str:
    """Convert a file and write it in its format by name, ``.pth`` or ``.safetensors``.

    It is written under a temporary name, read back into the network, and renamed.

    Returns:
        One line: what was written, and the layout that was found.

    Raises:
        UserError: It does not fit the network; then nothing is written.
    """
    out = Path(out)
    if out.suffix not in FORMATS:
        raise UserError(f"{out} must end in {' or '.join(FORMATS)}.")
    weights, layout = convert(read_foreign(source, part), network, str(source))
    about = {"converted_from": Path(str(source)).name, "layout": layout}
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.stem}.tmp{out.suffix}")
    try:
        if out.suffix == ".safetensors":
            save_file({key: value.contiguous() for key, value in weights.items()}, temporary, about)
        else:
            torch.save({"state_dict": weights, "meta": about}, temporary)
        load_weights(network, str(temporary))
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{out}: {describe(network)}, {count:,} parameters, from the layout {layout!r}."


def _renamed(
    weights: Mapping[str, Tensor], layout: str, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, value in weights.items():
        new = _our_name(key, layout)
        if new in renamed:  # two would become one: the second stays, and is told as left over
            new = key
        wanted = expected.get(new)
        if wanted is not None and value.shape != wanted.shape and _same_but_ones(value, wanted):
            value = value.reshape(wanted.shape)
        renamed[new] = value
    counters = {
        key: torch.zeros_like(value)
        for key, value in expected.items()
        if key.endswith(".num_batches_tracked")
        and key.replace("num_batches_tracked", "running_mean") in renamed
    }
    return {**counters, **renamed}


@cache  # all checkpoints of a network have the same keys
def _our_name(key: str, layout: str) -> str:
    for here, there in LAYOUTS[layout]:
        match = re.fullmatch(here, key)
        if match is not None:
            return _GROUP.sub(partial(_filled, match), there)
    return key


def _filled(match: re.Match[str], group: re.Match[str]) -> str:
    text = match[int(group[1])]
    return text if group[2] is None else str(int(text) - int(group[2]))


def _same_but_ones(value: Tensor, other: Tensor) -> bool:
    return [n for n in value.shape if n != 1] == [n for n in other.shape if n != 1]
