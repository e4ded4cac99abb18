"""Functions with one rule per kind of network, which the adapters of libraries extend."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, singledispatch, update_wrapper
from importlib import import_module
from typing import Any

from torch import nn

ADAPTERS = {
    "mmpretrain": "cls_kd.adapters.mmpretrain",
    "torchvision": "cls_kd.adapters.torchvision",
    "transformers": "cls_kd.adapters.transformers",
}
"""Library to the module with the rules for its networks, imported when the first one is seen."""


class NetworkRule:
    """A function of a network that dispatches on the network's class.

    ``@rule.register`` adds a rule and ``rule.dispatch(kind)`` gives that of a class, as of
    ``functools.singledispatch``. The adapter of the library that a network comes from is imported
    beforehand.

    Args:
        default: The rule for all other networks.
    """

    def __init__(self, default: Callable[..., Any]) -> None:
        self._dispatch = singledispatch(default)
        self.register, self.dispatch = self._dispatch.register, self._dispatch.dispatch
        update_wrapper(self, default)

    def __call__(self, network: nn.Module, *args: Any) -> Any:
        """Apply the rule for the network's class."""
        kind: Any = type(network)
        _import_adapters(kind)
        return self._dispatch(network, *args)


@cache
def _import_adapters(network: type) -> None:
    for kind in network.__mro__:
        adapter = ADAPTERS.get(kind.__module__.partition(".")[0])
        if adapter is not None:
            import_module(adapter)
