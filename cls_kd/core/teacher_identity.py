"""Everything about a teacher that its outputs depend on, as part of a key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cls_kd.functional import hash_integers
from cls_kd.signals import Batch

_PROBES = 2
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def identity(teacher: Any, image_shape: Sequence[int], num_classes: int) -> dict[str, Any]:
    """Values that tell a teacher from one with other outputs.

    Beside its weights and the options that it was built with, this has a digest of its outputs on
    two fixed synthetic images, which depend on the code of the network and on this machine.

    Args:
        teacher: A teacher that has been measured; anything that fulfills `TeacherProtocol`. How it
            computes (folded, in bfloat16) counts too: its attribute ``settings``, or what its
            ``fast.settings()`` says.
        image_shape: Shape of one image, (3, H, W), as the student sees it.
        num_classes: K.

    Returns:
        Name to value, as JSON takes it.
    """
    network = getattr(teacher, "network", None)
    options = ("flip", "scale", "shift", "input_size", "interpolation", "class_indices", "taps")
    return {
        "weights": teacher.digest(),
        "network": _ADDRESS.sub("", repr(network)),
        "options": {name: _plain(getattr(teacher, name, None)) for name in options},
        "settings": _plain(_settings(teacher)),
        "outputs": _probe(teacher, image_shape, num_classes),
    }


def _settings(teacher: Any) -> Any:
    given, fast = getattr(teacher, "settings", None), getattr(teacher, "fast", None)
    if given or fast is None:
        return given
    # The network is not on its device yet, where another layout may be chosen.
    return {**fast.settings(), "layout_option": fast.layout_option}


@torch.no_grad()
def _probe(teacher: Any, image_shape: Sequence[int], num_classes: int) -> str:
    parameters = getattr(getattr(teacher, "network", None), "parameters", None)
    parameter = next(parameters(), None) if parameters is not None else None
    shape = (_PROBES, *image_shape)
    words = hash_integers(torch.arange(torch.Size(shape).numel()))
    images = ((words & 0xFFFF).double() / 2**14 - 2).float().view(shape)  # from -2 to 2
    if parameter is not None:
        images = images.to(parameter.device)
    signals = teacher(Batch(images, None, num_classes))
    tensors = {name for name, value in signals.items() if isinstance(value, Tensor)}
    hasher = hashlib.sha256()
    # The logits alone, where they are there: runs that ask for more share the store.
    for name in sorted(tensors & {"teacher_logits"} or tensors):
        hasher.update(name.encode())
        hasher.update(signals[name].detach().float().cpu().contiguous().numpy())
    return hasher.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else repr(value)
