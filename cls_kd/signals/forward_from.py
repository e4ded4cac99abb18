"""A pass of a network from one of its stages on, with another map in the stage's place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.hooks import RemovableHandle

from cls_kd.errors import UserError
from cls_kd.signals.heads import describe, logits_of
from cls_kd.signals.tap import Tap


class Continued(NamedTuple):
    """Outputs of a pass from a stage on.

    Attributes:
        stages: The maps of all stages, None up to the given one.
        feature: The last map before pooling, (N, C, h, w).
        logits: (N, K).
    """

    stages: tuple[Tensor | None, ...]
    feature: Tensor
    logits: Tensor


@dataclass(frozen=True)
class ForwardFrom:
    """Run a network on a batch with the output of one stage replaced.

    The stages before it run as well, without any effect: a network cannot be entered in its middle
    without knowing its kind. Buffers, such as the running statistics of batch normalization, stay
    as they are. Gradients flow to the given map and to the parameters of the later stages.

    Attributes:
        network: Gives logits.
        stages: The taps of its stages, the first one first.
        feature: The tap of its last map before pooling.
        inputs: Images of the batch, as the network takes them.
    """

    network: nn.Module
    stages: tuple[Tap, ...]
    feature: Tap
    inputs: Tensor

    def __call__(self, stage: int, feature: Tensor) -> Continued:
        """Maps of the later stages, the last map and logits.

        Args:
            stage: Index of a stage.
            feature: Map (N, C, h, w) in the place of its output.
        """
        seen: dict[int, Tensor] = {}
        last = len(self.stages)
        buffers = {name: value.clone() for name, value in self.network.named_buffers()}
        with ExitStack() as hooks:
            module = self.network.get_submodule(self.stages[stage].module)
            replacing = _replace(self.stages[stage], feature)
            hooks.callback(module.register_forward_hook(replacing).remove)
            for index in range(stage + 1, last):
                hooks.callback(_record(self.network, self.stages[index], seen, index).remove)
            hooks.callback(_record(self.network, self.feature, seen, last).remove)
            logits = logits_of(functional_call(self.network, buffers, (self.inputs,)))
        return Continued(tuple(seen.get(index) for index in range(last)), seen[last], logits)


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


def _record(network: nn.Module, tap: Tap, seen: dict[int, Tensor], index: int) -> RemovableHandle:
    def record(module: nn.Module, args: tuple[Any, ...], *output: Any) -> None:
        shown = output if tap.side == "output" else args
        seen[index] = tap.read(shown[0]).clone()

    module = network.get_submodule(tap.module)
    if tap.side == "input":
        return module.register_forward_pre_hook(record)
    return module.register_forward_hook(record)
