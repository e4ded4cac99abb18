"""Batch norm folded into convolutions: fewer operations in the pass of a network that is frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode

from cls_kd.signals.tap import Tap


@dataclass(frozen=True)
class Pair:
    """A convolution, and the batch norm that alone reads its output."""

    convolution: FoldedConvolution
    norm: FoldedNorm

    def fold(self, *_: Any) -> None:
        """Compute the convolution's folded weight and bias from the parameters of both."""
        convolution, norm = self.convolution, self.norm
        with torch.no_grad():
            weight, bias = fuse_conv_bn_weights(
                convolution.weight,
                convolution.bias,
                norm.running_mean,  # type: ignore[arg-type]
                norm.running_var,  # type: ignore[arg-type]
                norm.eps,
                norm.weight,
                norm.bias,
            )
        layout = torch.channels_last if _is_channels_last(convolution.weight) else None
        convolution.folded_weight = weight.detach().contiguous(
            memory_format=layout or torch.contiguous_format
        )
        convolution.folded_bias = bias.detach()

    def is_intact(self) -> bool:
        """Test for the bits that folding gives now."""
        convolution = self.convolution
        before = convolution.folded_weight, convolution.folded_bias
        self.fold()
        after = convolution.folded_weight, convolution.folded_bias
        return all(map(torch.equal, before, after))

    def cast(self, dtype: torch.dtype) -> None:
        """Keep the folded parameters in half precision as well, for inputs of that type."""
        convolution = self.convolution
        convolution.half_weight = convolution.folded_weight.to(dtype)
        convolution.half_bias = convolution.folded_bias.to(dtype)

    def use(self, folded: bool) -> None:
        """Compute with the folded parameters, or with both modules."""
        self.convolution.is_folded = self.norm.is_folded = folded


class FoldedConvolution(nn.Conv2d):
    """A convolution that applies the batch norm after it as well, in eval mode.

    Its parameters, and so its state dict, are those of the convolution: the folded ones are buffers
    that are not saved. In training mode it is the convolution.
    """

    folded_weight: Tensor
    folded_bias: Tensor
    half_weight: Tensor | None
    half_bias: Tensor | None
    is_folded: bool

    def forward(self, input: Tensor) -> Tensor:
        """Both, in eval mode."""
        if self.training or not self.is_folded:
            return super().forward(input)
        weight, bias = self.folded_weight, self.folded_bias
        if self.half_weight is not None and input.dtype is self.half_weight.dtype:
            weight, bias = self.half_weight, self.half_bias  # type: ignore[assignment]
        return F.conv2d(
            input,
            weight,
            bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


class FoldedNorm(nn.BatchNorm2d):
    """A batch norm that has been folded into the convolution before it: in eval mode, nothing."""

    is_folded: bool

    def forward(self, input: Tensor) -> Tensor:
        """The input, in eval mode."""
        return super().forward(input) if self.training or not self.is_folded else input


class Folding:
    """The batch norms of a network that are folded into convolutions.

    Which ones can be is observed in one pass in eval mode: a batch norm that alone reads what a
    convolution gives, where both run once, the convolution alone reads its weight, and no tap is
    between them. The modules stay where they are, with their names, parameters and hooks; only
    their classes change, so that the state dict is the same before and after. (Ours.)

    Args:
        network: A network that no longer learns. Loading weights into it folds them anew.
        run: One pass of the network; it returns the output.
        taps: Places whose values somebody may look at: no pair is folded around one.
    """

    def __init__(
        self, network: nn.Module, run: Callable[[], Any], taps: Iterable[Tap] = ()
    ) -> None:
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self.norms = len(norms)
        self.pairs = [_folded(*pair) for pair in _sole_readers(network, run, tuple(taps))]

    def refresh(self) -> None:
        """Fold anew, after the parameters have moved to another type or device."""
        for pair in self.pairs:
            pair.fold()

    def cast(self, dtype: torch.dtype) -> None:
        """Spare autocast the conversion of the folded parameters in every pass."""
        for pair in self.pairs:
            pair.cast(dtype)

    def is_intact(self) -> bool:
        """Test for the folded parameters that the network's own give."""
        return all([pair.is_intact() for pair in self.pairs])

    def use(self, folded: bool) -> None:
        """Compute with the folded parameters, or with all modules as they were."""
        for pair in self.pairs:
            pair.use(folded)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Pair:
    # A class with the same state, as PyTorch's own parametrizations do it.
    convolution.__class__, norm.__class__ = FoldedConvolution, FoldedNorm
    pair = Pair(convolution, norm)  # type: ignore[arg-type]
    for name in ("folded_weight", "folded_bias", "half_weight", "half_bias"):
        convolution.register_buffer(name, None, persistent=False)
    pair.fold()
    pair.use(True)
    for module in (convolution, norm):
        module.register_load_state_dict_post_hook(pair.fold)
    return pair


class _Readers(TorchDispatchMode):
    """Counts the operations that read each tensor; keeps the tensors, so that no id comes twice."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[int] = Counter()
        self.kept: list[Tensor] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        for value in _tensors((*args, *(kwargs or {}).values())):
            self.kept.append(value)
            self.counts[id(value)] += 1
        return func(*args, **(kwargs or {}))


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _sole_readers(
    network: nn.Module, run: Callable[[], Any], taps: tuple[Tap, ...]
) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Pairs of a convolution and the only reader of its output, in the order of the pass."""
    made: list[tuple[nn.Conv2d, Tensor]] = []
    read: dict[int, nn.BatchNorm2d] = {}
    calls: Counter[nn.Module] = Counter()
    seen: list[Tensor] = []

    def note_output(module: nn.Module, _: Any, output: Any) -> None:
        calls[module] += 1
        if isinstance(output, Tensor):
            made.append((module, output))  # type: ignore[arg-type]

    def note_input(module: nn.Module, args: tuple[Any, ...]) -> None:
        calls[module] += 1
        if args:
            read[id(args[0])] = module  # type: ignore[assignment]

    readers = _Readers()
    with ExitStack() as hooks:
        for module in network.modules():
            if _can_fold_into(module):
                hooks.callback(module.register_forward_hook(note_output).remove)
            elif _can_be_folded(module):
                hooks.callback(module.register_forward_pre_hook(note_input).remove)
        for tap in taps:
            hooks.callback(_watch(network, tap, seen))
        with torch.no_grad(), readers:
            output = run()
    shown = {id(value) for value in (*seen, *_tensors((output,)))}
    return [
        (convolution, read[id(value)])
        for convolution, value in made
        if id(value) in read
        and id(value) not in shown
        and readers.counts[id(value)] == readers.counts[id(convolution.weight)] == 1
        and calls[convolution] == calls[read[id(value)]] == 1
        and read[id(value)].num_features == convolution.out_channels
    ]


def _watch(network: nn.Module, tap: Tap, seen: list[Tensor]) -> Callable[[], None]:
    module = network.get_submodule(tap.module)
    if tap.side == "input":
        return module.register_forward_pre_hook(lambda _, args: seen.extend(_tensors(args))).remove
    return module.register_forward_hook(
        lambda _, args, output: seen.extend(_tensors((output,)))
    ).remove


def _can_fold_into(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and type(module).forward is nn.Conv2d.forward
        and module.padding_mode == "zeros"
    )


def _can_be_folded(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.BatchNorm2d)
        and type(module).forward is nn.BatchNorm2d.forward
        and module.running_mean is not None
    )


def _is_channels_last(weight: Tensor) -> bool:
    return not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)
