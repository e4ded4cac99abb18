"""Shapes of signals, measured by one forward pass, so that no config states a channel count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cls_kd.errors import UserError, did_you_mean

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SignalShapes:
    """Measured shapes of signals, from which a loss builds its connectors and memory banks.

    Attributes:
        shapes: Signal name to its shape without the batch axis (tuple signal: tuple of shapes, with
            None for items that no loss reads).
        num_classes: K.
        num_samples: Length of the training set, or None where it is not known.
    """

    shapes: Mapping[str, Shape | tuple[Shape, ...]]
    num_classes: int
    num_samples: int | None = None

    def tensor(self, signal: str) -> Shape:
        """Shape of a signal that is one tensor, for example ``(C, h, w)``."""
        shape = self._get(signal)
        if not all(isinstance(size, int) for size in shape):
            raise UserError(f"The signal {signal!r} is a tuple of tensors, not one tensor.")
        return shape  # type: ignore[return-value]

    def tensors(self, signal: str) -> tuple[Shape, ...]:
        """Shapes of a signal that is a tuple of tensors, first stage first."""
        shape = self._get(signal)
        if all(isinstance(size, int) for size in shape):
            raise UserError(f"The signal {signal!r} is one tensor, not a tuple of tensors.")
        return shape  # type: ignore[return-value]

    def _get(self, signal: str) -> Shape | tuple[Shape, ...]:
        if signal not in self.shapes:
            raise UserError(
                f"The shape of {signal!r} was not measured.{did_you_mean(signal, self.shapes)}"
            )
        return self.shapes[signal]
