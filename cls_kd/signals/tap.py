"""A tap: a hook point in a network, written as a dotted path."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from cls_kd.errors import UserError

_PATH = re.compile(r"^(?P<module>[\w.]*)(?:\[(?P<item>-?\d+)\])?(?::(?P<side>input|output))?$")


@dataclass(frozen=True)
class Tap:
    """A hook point in a network.

    Attributes:
        module: Dotted path from the network; empty for the network itself.
        side: The module's output, or its first input.
        item: Which item, where that is a tuple.
        first_patch: For a network that keeps its maps as tokens (N, L, C) or as (N, h, w, C): index
            of the first patch among the tokens, behind the class tokens. The signal is then the
            map (N, C, h, w). None: the tensor as it is.
        keeps_tokens: With ``first_patch``: the signal is the patches themselves, (N, L, C).
    """

    module: str
    side: Literal["input", "output"] = "output"
    item: int | None = None
    first_patch: int | None = None
    keeps_tokens: bool = False

    @classmethod
    def parse(cls, path: str) -> Tap:
        """Read ``'layer1.0.relu:input'`` or ``'backbone[-1]'``."""
        match = _PATH.match(path)
        if match is None:
            raise UserError(
                f"The tap {path!r} is not a path: write 'layer1', 'layer1.relu:input' or "
                "'backbone[-1]'."
            )
        item = match["item"]
        side: Literal["input", "output"] = "input" if match["side"] == "input" else "output"
        return cls(match["module"], side, None if item is None else int(item))

    def read(self, value: Any) -> Tensor:
        """The signal in an output or input of the module.

        Raises:
            UserError: It is no tensor, or no map where it has to be one.
        """
        if isinstance(value, tuple | list) and self.item is not None:
            value = value[self.item]
        elif isinstance(value, tuple | list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Tensor):
            raise UserError(
                f"The tap {self.module!r} ({self.side}) gave {type(value).__name__}, not a tensor: "
                f"name an item of it, as in '{self.module}[-1]'."
            )
        return self.signal(value)

    def signal(self, value: Tensor) -> Tensor:
        """The signal in a tensor of the network: a view of it.

        Raises:
            UserError: It has to be a map, and its patches are no square.
        """
        if self.first_patch is None:
            return value
        if self.keeps_tokens:
            return value[:, self.first_patch :]
        if value.ndim == 4:
            return value.permute(0, 3, 1, 2)
        patches = value[:, self.first_patch :].transpose(1, 2)
        side = math.isqrt(patches.shape[2])
        if side**2 != patches.shape[2]:
            raise UserError(
                f"The tap {self.module!r} has {patches.shape[2]} patches, which are no square: a "
                "map (N, C, h, w) is made of square images only. Name a module that gives maps in "
                "`taps`."
            )
        return patches.unflatten(2, (side, side))

    def tensor(self, signal: Tensor, before: Tensor) -> Tensor:
        """The tensor of the network that shows ``signal``.

        Args:
            signal: In the form of `signal`.
            before: The network's tensor, whose class tokens are kept.
        """
        if self.first_patch is None:
            return signal.clone()  # the next operation of some networks works in place
        if before.ndim == 4:
            return signal.permute(0, 2, 3, 1).contiguous()
        patches = signal.flatten(2).transpose(1, 2)
        return torch.cat([before[:, : self.first_patch], patches], dim=1)


Taps = dict[str, "Tap | tuple[Tap, ...]"]
"""Signal name without its role (``stages``, ``embedding``, ...) to its tap or taps."""
