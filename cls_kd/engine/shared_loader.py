"""One data loader for several runs that are trained side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from torch import Tensor
from torch.utils.data import DataLoader

from cls_kd.adapters.internals import count_writes
from cls_kd.engine.generators import Generators, SharedCall

Value = TypeVar("Value")

_END = object()


class SharedBatch:
    """One batch for all members, which is preprocessed once.

    Args:
        generators: From which the loader and the preprocessing may draw.
        fetch: Gets the batch from the loader.
    """

    def __init__(self, generators: Generators, fetch: Callable[[], Any]) -> None:
        self._generators = generators
        self.fetch: SharedCall[Any] = SharedCall(generators, fetch)
        self._prepared: SharedCall[dict[str, Any]] | None = None
        self._writes: list[int] = []

    def prepared(self, prepare: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The preprocessed batch; made anew where a member has written to it.

        Args:
            prepare: Makes it; that of the first member is called.
        """
        first = self._prepared is None
        if self._prepared is None:
            self._prepared = SharedCall(self._generators, prepare)
        elif _count_writes(self._prepared.value) != self._writes:
            return prepare()
        value = self._prepared()
        if first:
            self._writes = _count_writes(value)
        return copy.copy(value)


class SharedPass:
    """One pass through a loader, of which each member gets each batch.

    Args:
        loader: The loader.
        generators: From which the loader may draw.
    """

    def __init__(self, loader: DataLoader, generators: Generators) -> None:
        self._generators = generators
        self.begin: SharedCall[Iterator[Any]] = SharedCall(generators, lambda: iter(loader))
        self._position = -1
        self._batch: SharedBatch | None = None

    def batch(self, position: int) -> SharedBatch:
        """The batch at a position, which is the present one or the next."""
        if self._batch is None or position != self._position:
            iterator = self.begin.value
            self._batch = None  # its memory is free for the next one
            self._batch = SharedBatch(self._generators, lambda: next(iterator, _END))
            self._position = position
        return self._batch


class SharedLoader:
    """A loader and the passes through it.

    Args:
        loader: The loader.
        generators: From which it may draw.
    """

    def __init__(self, loader: DataLoader, generators: Generators) -> None:
        self.loader = loader
        self._generators = generators
        self._passes: dict[int, SharedPass] = {}
        self._skipped = 0

    def shared_pass(self, number: int) -> SharedPass:
        """The pass of a number; the one before the last is forgotten."""
        if number not in self._passes:
            self._passes.pop(number - 2, None)
            self._passes[number] = SharedPass(self.loader, self._generators)
        return self._passes[number]

    def skip(self, samples: int) -> None:
        """Let the sampler skip samples, once for all members."""
        if samples != self._skipped:
            self._skipped = samples
            self.loader.sampler.skip(samples)  # type: ignore[attr-defined]


class LoaderUser(Protocol):
    """Who gets the batches."""

    def pause(self) -> None:
        """Return when all members ask for the next batch."""

    def share(self, call: Callable[[], Value]) -> Value:
        """The value of a call that all members make."""


class MemberLoader:
    """A shared loader as one member has it; otherwise like the loader.

    Args:
        shared: The shared loader.
        member: The member.
    """

    def __init__(self, shared: SharedLoader, member: LoaderUser) -> None:
        self._shared = shared
        self._member = member
        self._passes = 0
        self.batch: SharedBatch | None = None
        self.delivered: Any = None

    def __len__(self) -> int:
        return len(self._shared.loader)

    def __iter__(self) -> Iterator[Any]:
        self._passes += 1
        shared = self._shared.shared_pass(self._passes)
        self._member.share(shared.begin)
        return self._batches(shared)

    def _batches(self, shared: SharedPass) -> Iterator[Any]:
        position = 0
        while True:
            self.batch = self.delivered = None
            self._member.pause()
            self.batch = shared.batch(position)
            value = self._member.share(self.batch.fetch)
            if value is _END:
                self.batch = None
                return
            self.delivered = copy.copy(value)
            yield self.delivered
            position += 1

    @property
    def sampler(self) -> Any:
        """The sampler of the loader; members skip samples of it once."""
        sampler = self._shared.loader.sampler
        return _MemberSampler(self._shared, sampler) if hasattr(sampler, "skip") else sampler

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._shared.loader, name)


class _MemberSampler:
    """A sampler of a shared loader."""

    def __init__(self, shared: SharedLoader, sampler: Any) -> None:
        self._sampler = sampler
        self.skip = shared.skip

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._sampler, name)


def _count_writes(prepared: Any) -> list[int]:
    values = prepared.values() if isinstance(prepared, dict) else ()
    return [count_writes(value) for value in values if isinstance(value, Tensor)]
