"""How a loss is tested, and changes of signals that some losses do not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Row:
    """How a loss is tested.

    Attributes:
        args: Constructor arguments.
        zero_at_equality: It is 0, with gradient 0, where the student's signals are the teacher's.
        invariant: Changes of one student signal that do not change the loss: signal to functions.
        wrong: Arguments that must be refused.
        remembers: It looks at an earlier batch, and says nothing of a first one.
        constants: Student signals that it reads as constants.
        waits: Why a step waits for the device, where it must; the docstring says it too.
    """

    args: dict[str, Any] = field(default_factory=dict)
    zero_at_equality: bool = False
    invariant: dict[str, list[Callable[[Tensor], Tensor]]] = field(default_factory=dict)
    wrong: tuple[dict[str, Any], ...] = ()
    remembers: bool = False
    constants: tuple[str, ...] = ()
    waits: str = ""


def shift_each_sample(values: Tensor) -> Tensor:
    return values + torch.arange(1.0, len(values) + 1).unsqueeze(1)


def scale_each_sample(values: Tensor) -> Tensor:
    return values * torch.arange(1.0, len(values) + 1).unsqueeze(1)


def shift_each_peer(values: Tensor) -> Tensor:
    return values + torch.arange(values.shape[0] * values.shape[1]).view(*values.shape[:2], 1)


def rotate(values: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    square = torch.randn(values.shape[1], values.shape[1], generator=generator)
    return values @ torch.linalg.qr(square).Q


def scale_all(values: Tensor) -> Tensor:
    return 3 * values


def shift_all(values: Tensor) -> Tensor:
    return values + torch.arange(values.shape[1])


SHIFT = {"student_logits": [shift_each_sample], "teacher_logits": [shift_each_sample]}
SHIFT_AND_SCALE = {
    "student_logits": [shift_each_sample, scale_each_sample],
    "teacher_logits": [shift_each_sample, scale_each_sample],
}
