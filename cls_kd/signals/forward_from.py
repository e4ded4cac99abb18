"""A pass of a network from one of its stages on, with another map in the stage's place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from cls_kd.errors import UserError
from cls_kd.signals.heads import describe, logits_of
from cls_kd.signals.tap import Tap

Continued = tuple[tuple[Tensor | None, ...], Tensor]
"""The maps of all stages, None up to the given one, and the logits."""


@dataclass(frozen=True)
class ForwardFrom:
    """Run a network on a batch with the output of one stage replaced.

    The stages before it run as well, without any effect: a network cannot be entered in its middle
    without knowing its kind. Buffers, such as the running statistics of batch normalization, stay
    as they are. Gradients flow to the given map and to the parameters of the later stages.

    Attributes:
        network: Gives logits.
        stages: The taps of its stages, the first one first.
        inputs: Images of the batch, as the network takes them.
    """

    network: nn.Module
    stages: tuple[Tap, ...]
    inputs: Tensor

    def __call__(self, stage: int, feature: Tensor) -> Continued:
        """Maps of the later stages and logits.

        Args:
            stage: Index of a stage.
            feature: Map (N, C, h, w) in the place of its output.
        """
        maps: list[Tensor | None] = [None] * len(self.stages)
        buffers = {name: value.clone() for name, value in self.network.named_buffers()}
        with ExitStack() as hooks:
            for index, tap in enumerate(self.stages[stage:], start=stage):
                module = self.network.get_submodule(tap.module)
                hook = _replace(tap, feature) if index == stage else _record(tap, maps, index)
                hooks.callback(module.register_forward_hook(hook).remove)
            logits = logits_of(functional_call(self.network, buffers, (self.inputs,)))
        return tuple(maps), logits


def check_stages(network: nn.Module, role: str, stages: Any) -> tuple[Tap, ...]:
    """The taps of stages, or an error where one is not the whole output of a module."""
    taps = stages if isinstance(stages, tuple) else (stages,)
    for tap in taps:
        if tap is None or tap.side != "output" or tap.item is not None:
            raise UserError(
                f"The {role} {describe(network)} cannot be run from a stage on: each of its "
                "`stages` has to be the output of a module."
            )
    return taps


def _replace(tap: Tap, feature: Tensor) -> Callable[..., Tensor]:
    return lambda module, args, output: tap.tensor(feature, output)


def _record(tap: Tap, maps: list[Tensor | None], index: int) -> Callable[..., None]:
    def record(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        maps[index] = tap.signal(output).clone()

    return record
