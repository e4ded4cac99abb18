"""The states of the global random generators, read and set only where they have changed."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from ctypes import c_char
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
import torch

Value = TypeVar("Value")

_STATE_SIZE = 2500
"""Bytes of the state of a Mersenne Twister: 624 words and a position."""


class GeneratorConflictError(Exception):
    """A call that draws random numbers cannot be shared: the generators differ before it."""


class Generator(Protocol):
    """One global generator.

    Attributes:
        name: For messages.
    """

    name: str

    def get(self) -> Any:
        """The state, which can be compared by ``==``."""

    def set(self, state: Any) -> None:
        """Put a state in place."""


class PythonGenerator:
    """That of the module ``random``."""

    name = "Python's random generator"

    def get(self) -> Any:
        """The state."""
        return random.getstate()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        random.setstate(state)


class NumPyGenerator:
    """That of the functions of ``numpy.random``.

    Reading its state takes as long as a small step, so its memory is compared with that at the last
    reading. A normal number that is kept for the next call stands elsewhere; then it is read.
    """

    name = "NumPy's random generator"

    def __init__(self) -> None:
        address = np.random.mtrand.get_bit_generator().ctypes.state_address
        self._memory = (c_char * _STATE_SIZE).from_address(address)
        self._seen = b""
        self._state: tuple[Any, ...] = ()

    def get(self) -> Any:
        """The state."""
        seen = self._memory.raw
        keeps_number = not self._state or self._state[3]
        if seen != self._seen or keeps_number:
            name, words, *others = cast(tuple[Any, ...], np.random.get_state())
            self._state = (name, words.tobytes(), *others)
            self._seen = seen
        return self._state

    def set(self, state: Any) -> None:
        """Put a state in place."""
        name, words, *others = state
        np.random.set_state((name, np.frombuffer(words, np.uint32), *others))
        self._seen, self._state = self._memory.raw, state


class TorchGenerator:
    """PyTorch's of one device.

    Args:
        generator: ``torch.default_generator``, or that of a GPU.
        name: For messages.
    """

    def __init__(self, generator: torch.Generator, name: str = "PyTorch's random generator"):
        self.name = name
        self._generator = generator

    def get(self) -> Any:
        """The state."""
        return self._generator.get_state().numpy().tobytes()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        self._generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


class TrackedGenerator:
    """A generator whose equal states are one object, so that most need not be put in place.

    Args:
        generator: The generator.
    """

    _MEMORY = 4
    """Number of states that are remembered."""

    def __init__(self, generator: Generator) -> None:
        self.name = generator.name
        self._generator = generator
        self._recent: deque[Any] = deque(maxlen=self._MEMORY)
        self._current: Any = None

    def get(self) -> Any:
        """The state."""
        state = self._generator.get()
        if state is not self._current:
            known = next((other for other in self._recent if other == state), None)
            if known is None:
                self._recent.append(state)
            self._current = state if known is None else known
        return self._current

    def set(self, state: Any) -> None:
        """Put a state in place, after `get` has been called for the present one."""
        if state is not self._current:
            self._generator.set(state)
            self._current = state


class Generators:
    """All global generators of this process that a training may draw from."""

    def __init__(self) -> None:
        generators: list[Generator] = [
            PythonGenerator(),
            NumPyGenerator(),
            TorchGenerator(torch.default_generator),
        ]
        if torch.cuda.is_available():
            device = torch.cuda.current_device()
            on_gpu = torch.cuda.default_generators[device]
            generators.append(TorchGenerator(on_gpu, "the random generator of the GPU"))
        self._generators = [TrackedGenerator(generator) for generator in generators]

    def get(self) -> list[Any]:
        """The state of each."""
        return [generator.get() for generator in self._generators]

    def set(self, states: list[Any]) -> None:
        """Put the states in place, after `get` has been called for the present ones."""
        for generator, state in zip(self._generators, states, strict=True):
            generator.set(state)

    def names(self) -> list[str]:
        """The name of each."""
        return [generator.name for generator in self._generators]


class SharedCall(Generic[Value]):
    """A call that several make in turn and that is executed once, with its draws for each.

    The first caller executes it. Where it draws from a generator, each later caller needs the state
    that the first one had before, and leaves with the state that the first one had after.

    Args:
        generators: The generators.
        function: What is called.

    Attributes:
        value: What the call has given.
    """

    def __init__(self, generators: Generators, function: Callable[[], Value]) -> None:
        self._generators = generators
        self._function: Callable[[], Value] | None = function
        self.value: Value
        self._drawn: list[tuple[int, Any, Any]] = []

    def __call__(self) -> Value:
        """The value.

        Raises:
            GeneratorConflictError: The caller's generators are in another state than the first's.
        """
        if self._function is not None:
            self._execute(self._function)
        elif self._drawn:
            self._repeat_draws()
        return self.value

    def _execute(self, function: Callable[[], Value]) -> None:
        before = self._generators.get()
        self.value = function()
        self._function = None
        after = self._generators.get()
        pairs = enumerate(zip(before, after, strict=True))
        self._drawn = [(index, *pair) for index, pair in pairs if pair[0] != pair[1]]

    def _repeat_draws(self) -> None:
        states = self._generators.get()
        for index, before, after in self._drawn:
            if states[index] != before:
                raise GeneratorConflictError(self._generators.names()[index])
            states[index] = after
        self._generators.set(states)
