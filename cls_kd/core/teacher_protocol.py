"""The interface of a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals import Batch
from cls_kd.signals.network import Indices
from cls_kd.signals.shapes import Shape

Shapes = dict[str, Shape | tuple[Shape, ...]]


class TeacherProtocol(Protocol):
    """Interface of a teacher: its signals, their shapes, and its identity.

    `Teacher` is a network; stored outputs or a remote network can be teachers as well.

    Attributes:
        name: By which losses choose it (``teacher='name'``); None for its index.
        note: One line for the log: what it is and where it comes from.
    """

    name: str | None
    note: str

    @property
    def is_asked(self) -> bool:
        """True if any loss asks for one of its signals."""

    def attach(self, names: Mapping[str, Indices]) -> None:
        """Prepare to give these signals; of tuples, the items at these indices.

        A later call, followed by ``measure``, replaces what was asked for before.
        """

    def match(self, normalization: Mapping[str, Any]) -> None:
        """Prepare for images with the student's normalization."""

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Shapes:
        """Shapes of the signals that were asked for, without the batch axis."""

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The signals of a batch, by name."""

    def digest(self) -> str:
        """Identity: the same as long as its signals are the same."""


def check_module(role: str, network: Any) -> None:
    """Refuse what is no module.

    Raises:
        UserError: With what to give instead.
    """
    if not isinstance(network, nn.Module):
        raise UserError(
            f"The {role} must be a torch.nn.Module with its weights loaded, not "
            f"{network!r:.80} of the type {type(network).__name__}. Configs and checkpoint files "
            "are for cls_kd.train and the command line."
        )
