"""A tap: a hook point in a network, written as a dotted path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cls_kd.errors import UserError

_PATH = re.compile(r"^(?P<module>[\w.]*)(?:\[(?P<item>-?\d+)\])?(?::(?P<side>input|output))?$")


@dataclass(frozen=True)
class Tap:
    """A hook point in a network.

    Attributes:
        module: Dotted path from the network; empty for the network itself.
        side: The module's output, or its first input.
        item: Which item, where that is a tuple.
    """

    module: str
    side: Literal["input", "output"] = "output"
    item: int | None = None

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


Taps = dict[str, "Tap | tuple[Tap, ...]"]
"""Signal name without its role (``stages``, ``embedding``, ...) to its tap or taps."""
