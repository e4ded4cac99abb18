"""The recorder: all forward hooks that stay on networks; they record only what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from cls_kd.errors import UserError
from cls_kd.signals.tap import Tap

Captured = Tensor | tuple[Tensor | None, ...]
"""A recorded signal; in a tuple, None for items that nobody asked for."""
SignalTaps = Tap | tuple[Tap | None, ...]
_Key = tuple[str, int]


class Recorder:
    """Hooks on one network, dormant outside ``recording()``.

    Args:
        network: The network to record.
        taps: Signal name to its tap, or to a tuple of taps; None for items not to record.
    """

    def __init__(self, network: nn.Module, taps: Mapping[str, SignalTaps]) -> None:
        self.taps = taps
        self._active = False
        self._overwritten: frozenset[_Key] = frozenset()
        self._seen: dict[_Key, Tensor] = {}
        self._version: dict[_Key, int] | None = None
        self._handles: list[RemovableHandle] = []
        for name, tap in taps.items():
            for index, item in enumerate(tap if isinstance(tap, tuple) else (tap,)):
                if item is not None:
                    self._attach(network, item, (name, index))

    def detach(self) -> None:
        """Remove the hooks from the network; nothing is recorded any more."""
        for handle in self._handles:
            handle.remove()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the forward passes inside; the records are dropped on leaving."""
        self._active = True
        try:
            yield
        finally:
            self._active = False
            self._seen.clear()

    def take(self) -> dict[str, Captured]:
        """The records of the last forward pass, by signal name.

        Raises:
            UserError: A tapped module did not run in this pass.
        """
        return {name: self._captured(name, tap) for name, tap in self.taps.items()}

    @contextmanager
    def finding_overwritten(self) -> Iterator[None]:
        """One pass that also notes which tensors a later in-place operation overwrites.

        From then on these, and only these, are cloned when they are seen (an in-place ReLU would
        otherwise turn a pre-activation into an activation).
        """
        self._version = {}
        with self.recording():
            yield
            self._overwritten |= {
                key for key, seen in self._seen.items() if seen._version != self._version[key]
            }
        self._version = None

    def _captured(self, name: str, tap: SignalTaps) -> Captured:
        if isinstance(tap, Tap):
            return self._get((name, 0), tap)
        return tuple(
            None if item is None else self._get((name, index), item)
            for index, item in enumerate(tap)
        )

    def _get(self, key: _Key, tap: Tap) -> Tensor:
        if key not in self._seen:
            raise UserError(
                f"The module {tap.module!r}, tapped for {key[0]!r}, did not run in the forward "
                "pass: declare another module in `taps`."
            )
        return self._seen[key]

    def _attach(self, network: nn.Module, tap: Tap, key: _Key) -> None:
        module, hook = network.get_submodule(tap.module), _Hook(self, tap, key)
        if tap.side == "input":
            self._handles.append(module.register_forward_pre_hook(hook))
        else:
            self._handles.append(module.register_forward_hook(hook))

    def capture(self, key: _Key, tap: Tap, value: Any) -> None:
        """Keep the output or input of a tapped module, while recording."""
        if not self._active:
            return
        value = tap.read(value)
        if self._version is not None:
            self._version[key] = value._version
        self._seen[key] = value.clone() if key in self._overwritten else value


@dataclass(frozen=True, eq=False)
class _Hook:
    """A forward hook; an object and no closure, so that a copied network has a copied recorder."""

    recorder: Recorder
    tap: Tap
    key: _Key

    def __call__(self, _: nn.Module, args: tuple[Any, ...], *output: Any) -> None:
        shown = output if self.tap.side == "output" else args
        self.recorder.capture(self.key, self.tap, shown[0] if shown else None)
