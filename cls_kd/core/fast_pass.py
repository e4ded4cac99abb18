"""A frozen network's pass made faster: by rounding alone, or in another precision where asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.core.folding import Folding
from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.heads import logits_of
from cls_kd.signals.tap import Tap

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

TOLERANCE = 1e-5
"""Relative error above which batch norms are not folded; what is measured is below 1e-6. (Ours.)"""

_HALF = (torch.float16, torch.bfloat16)
_TEMPERATURE = 4.0
_WIDE = 512


@dataclass(frozen=True)
class Agreement:
    """The logits of a fast pass compared with those of the plain one in float32.

    Attributes:
        images: Number of images.
        error: Largest absolute difference, divided by the largest absolute logit.
        same_class: Fraction of the images with the same most probable class.
        divergence: Mean KL divergence of the fast from the plain distribution at temperature 4.
    """

    images: int
    error: float
    same_class: float
    divergence: float

    def __str__(self) -> str:
        return (
            f"relative error {self.error:.1e}, the same class for {self.same_class:.2%} of "
            f"{self.images} images, KL at temperature 4 {self.divergence:.1e}"
        )


def agreement(fast: Tensor, plain: Tensor) -> Agreement:
    """Compare logits (N, K)."""
    fast, plain = fast.double(), plain.double()
    divergence = F.kl_div(
        F.log_softmax(fast / _TEMPERATURE, 1),
        F.log_softmax(plain / _TEMPERATURE, 1),
        reduction="batchmean",
        log_target=True,
    )
    return Agreement(
        len(plain),
        float((fast - plain).abs().max() / plain.abs().max().clamp(min=1e-30)),
        float((fast.argmax(1) == plain.argmax(1)).double().mean()),
        float(divergence),
    )


class FastPass:
    """The pass of a frozen network, and its settings.

    Args:
        network: The network, in eval mode.
        fold_batch_norm: Fold batch norm into convolutions (`cls_kd.core.folding`).
        channels_last: Keep maps in memory with the channels last. Default:
            see `prefers_channels_last`.
        dtype: ``'float32'``, or ``'bfloat16'`` for autocast.
        compile: ``torch.compile`` the network's body; a dict gives the options.

    Raises:
        UserError: There is no such ``dtype``.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        fold_batch_norm: bool = True,
        channels_last: bool | None = None,
        dtype: str = "float32",
        compile: bool | Mapping[str, Any] = False,
    ) -> None:
        if dtype not in DTYPES:
            raise UserError(f"The teacher's dtype: {dtype!r}.{did_you_mean(dtype, DTYPES)}")
        self.network = network
        self.dtype = DTYPES[dtype]
        self.compile = compile
        self._fold, self._channels_last = fold_batch_norm, channels_last
        self._runs_plain = self._is_compiled = False
        self.channels_last = False
        self.folding: Folding | None = None
        self.note = ""

    def prepare(self, images: Tensor, taps: Iterable[Tap]) -> None:
        """Set up, once the network's hooks are in place.

        Args:
            images: As the network takes them, (N, 3, H, W); a few of them.
            taps: Places whose values somebody may ask for.
        """
        if self._fold and self.folding is None:
            self._try_folding(images, taps)
        self.lay_out()
        if self.compile and not self._is_compiled:
            self._is_compiled = True
            options = self.compile if isinstance(self.compile, Mapping) else {}
            body_of(self.network).compile(**options)

    def settings(self) -> dict[str, Any]:
        """The settings of the pass: where they are equal, so are the bits of its outputs.

        Returns:
            ``{'fold_batch_norm': 34, 'channels_last': True, 'dtype': 'float32',
            'compile': False}``; of batch norms the number that are folded.
        """
        return {
            "fold_batch_norm": len(self.folding.pairs) if self.folding else 0,
            "channels_last": self.channels_last,
            "dtype": str(self.dtype).removeprefix("torch."),
            "compile": dict(self.compile) if isinstance(self.compile, Mapping) else self.compile,
        }

    @property
    def is_exact(self) -> bool:
        """True where the logits differ from the plain network's by float32's rounding only."""
        return self.dtype is torch.float32 and not self.compile

    @property
    def layout_option(self) -> bool | None:
        """``channels_last`` as it was given: None lets the device decide, now and after a move."""
        return self._channels_last

    def describe(self) -> str:
        """The settings in words; empty where the network is computed as it is."""
        parts = []
        if self.folding and self.folding.pairs:
            counts = f"{len(self.folding.pairs)} of {self.folding.norms}"
            parts.append(f"{counts} batch norms folded into convolutions")
        parts += ["channels_last"] if self.channels_last else []
        parts += ["bfloat16"] if self.dtype is not torch.float32 else []
        parts += ["compiled"] if self.compile else []
        return ", ".join(parts)

    def lay_out(self) -> None:
        """Take up the device and type that the parameters have now."""
        if self.folding is not None:
            self.folding.refresh()
        self.channels_last = self._wants_channels_last()
        set_layout(self.network, self.channels_last)
        if self.folding is not None and self.dtype is not torch.float32:
            self.folding.cast(self.dtype)

    def inputs(self, images: Tensor) -> Tensor:
        """Images in the layout of the network, and in its type where that is a half precision."""
        kept = next((value.dtype for value in self.network.parameters()), torch.float32)
        images = images.to(kept) if kept in _HALF else images
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)

    def precision(self, device: torch.device) -> AbstractContextManager[Any]:
        """Autocast, where another type is set; else nothing."""
        if self.dtype is torch.float32 or self._runs_plain:
            return nullcontext()
        return torch.autocast(device.type, dtype=self.dtype)

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Compute the network as it is, in the precision of its parameters, inside."""
        with ExitStack() as stack:
            self._runs_plain, layout = True, self.channels_last
            self.channels_last = False
            set_layout(self.network, False)
            if self.folding is not None:
                self.folding.use(False)
                stack.callback(self.folding.use, True)
            if self.compile:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            try:
                yield
            finally:
                self._runs_plain, self.channels_last = False, layout
                set_layout(self.network, layout)

    def is_intact(self) -> bool:
        """Test for the folded parameters that the network's own give."""
        return self.folding is None or self.folding.is_intact()

    def _try_folding(self, images: Tensor, taps: Iterable[Tap]) -> None:
        plain: list[Tensor] = []
        try:
            folding = Folding(
                self.network, lambda: plain.append(_logits(self.network, images)), taps
            )
        except (NotImplementedError, RuntimeError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            self.note = f"no batch norm is folded: its operations cannot be watched ({reason})."
            return
        if not folding.pairs:
            return
        with torch.no_grad():
            measured = agreement(_logits(self.network, images), plain[0])
        counts = f"{len(folding.pairs)} of {folding.norms} batch norms"
        if measured.error <= TOLERANCE:
            self.folding = folding
            self.note = (
                f"{counts} are folded into convolutions; relative error of its logits "
                f"{measured.error:.1e}, the same class for {measured.same_class:.0%} of "
                f"{measured.images} images of noise."
            )
        else:
            folding.use(False)
            self.note = (
                f"no batch norm is folded into a convolution: with {counts} folded the relative "
                f"error of its logits is {measured.error:.1e}, more than {TOLERANCE:.0e}."
            )

    def _wants_channels_last(self) -> bool:
        if self._channels_last is not None:
            return self._channels_last
        return prefers_channels_last(self.network, self.dtype)


def prefers_channels_last(network: nn.Module, dtype: torch.dtype) -> bool:
    """Decide for channels last by the network and its device alone, so that it is reproducible.

    On a CPU: for networks whose convolutions of more than one pixel are narrower than 512 channels,
    or grouped. Those are 1.1 to 2.4 times as fast, the others as fast or slower
    (docs/guides/speed.md). On a GPU: in bfloat16, for which its tensor cores take this layout.
    (Ours.)

    Args:
        network: The network.
        dtype: In which it is computed.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        return False
    if convolutions[0].weight.device.type != "cpu":
        return dtype is torch.bfloat16
    return not any(
        module.groups == 1 and max(module.kernel_size) > 1 and module.in_channels >= _WIDE
        for module in convolutions
    )


def set_layout(network: nn.Module, channels_last: bool) -> None:
    """Lay out the weights of convolutions, whose outputs follow them.

    Args:
        network: Its parameters and folded ones are laid out in place, and stay the same objects.
        channels_last: Or contiguous.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=layout)


def check_plain(channels_last: bool | None, dtype: str, compile: Any) -> None:
    """Refuse options of a fast pass for a teacher whose statistics drift.

    Raises:
        UserError: Which ones.
    """
    given = {"channels_last": channels_last, "dtype": dtype != "float32", "compile": compile}
    names = [name for name, value in given.items() if value]
    if names:
        raise UserError(
            f"The teacher runs in training mode (train_mode=True), where {', '.join(names)} cannot "
            "be used: it is there to reproduce a source's figures, as the source computes them."
        )


def is_compiled(teacher: Any) -> bool:
    """Test for a teacher that compiles its network by an option of its own."""
    return bool(getattr(getattr(teacher, "fast", None), "compile", False))


def is_intact(teacher: Any) -> bool:
    """Test for a teacher whose folded parameters, if any, are what its weights give."""
    fast = getattr(teacher, "fast", None)
    return fast is None or fast.is_intact()


def notes_of(teachers: Sequence[Any]) -> list[str]:
    """A line for each teacher whose pass was compared with the plain one at build."""
    passes = [getattr(teacher, "fast", None) for teacher in teachers]
    return [
        f"Teacher {index}: {fast.note}" for index, fast in enumerate(passes) if fast and fast.note
    ]


def body_of(network: nn.Module) -> nn.Module:
    """The part of a classifier that is compiled: its backbone, where it has one."""
    return getattr(network, "backbone", None) or getattr(network, "model", None) or network


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    return logits_of(network(images))
