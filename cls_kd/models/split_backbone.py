"""Splitting a backbone after a module: a trunk, and a branch that continues it.

A module that is left out becomes ``nn.Identity``, so both halves keep the class, the forward pass
and the keys of the backbone, and together hold each of its parameters once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError, did_you_mean

_SIZES = (32, 64, 128, 224)


class Cut(NamedTuple):
    """Paths of the modules that run on one side of a cut only."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class _Span:
    """Start and end of a module's calls, in order of execution."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def probe(backbone: nn.Module) -> Tensor:
    """Two images that the backbone can take.

    Raises:
        UserError: It takes none that were tried.
    """
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    channels = convolutions[0].in_channels if convolutions else 3
    generator = torch.Generator().manual_seed(0)
    for size in _SIZES:
        images = torch.randn(2, channels, size, size, generator=generator)
        try:
            _run(backbone, images)
        except (RuntimeError, ValueError, AssertionError):
            continue
        return images
    raise UserError(
        f"{type(backbone).__name__} takes no image of {channels} channels and "
        f"{', '.join(map(str, _SIZES))} pixels: its parts could not be measured."
    )


def find_cut(backbone: nn.Module, after: str) -> Cut:
    """Modules that run before, and those that run after, the output of the module ``after``.

    Args:
        backbone: As mmpretrain's: its forward pass gives a tuple of maps. It is not changed.
        after: Dotted path of a module of it, usually a stage.

    Raises:
        UserError: There is no such module, it does not run, or the two halves, one after the other,
            do not give what the backbone gives (a connection leads past the cut).
    """
    names = [name for name, _ in backbone.named_modules() if name]
    if after not in names:
        stages = [name for name, _ in backbone.named_children()]
        near = did_you_mean(after, names, every=False)
        raise UserError(
            f"{type(backbone).__name__} has no module {after!r} to cut after.{near} "
            f"It consists of {', '.join(stages)}."
        )
    images = probe(backbone)
    spans = _spans(backbone, images)
    if not spans[after].ends:
        raise UserError(f"{type(backbone).__name__} cannot be cut after {after!r}: it never runs.")
    cut = _divide(backbone, spans, spans[after].ends[-1])
    _check(backbone, cut, after, images)
    return cut


def without(backbone: nn.Module, paths: Iterable[str]) -> nn.Module:
    """The same backbone, with ``nn.Identity`` in place of the modules at ``paths``."""
    for path in paths:
        parent, _, name = path.rpartition(".")
        setattr(backbone.get_submodule(parent), name, nn.Identity())
    return backbone


def _run(backbone: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            return tuple(backbone(images))
    finally:
        backbone.train(training)


def _spans(backbone: nn.Module, images: Tensor) -> dict[str, _Span]:
    spans = {name: _Span() for name, _ in backbone.named_modules()}
    clock = iter(range(10**9))
    hooks = []
    for name, module in backbone.named_modules():
        begins, ends = spans[name].begins, spans[name].ends
        hooks += [
            module.register_forward_pre_hook(lambda *_, times=begins: times.append(next(clock))),
            module.register_forward_hook(lambda *_, times=ends: times.append(next(clock))),
        ]
    try:
        _run(backbone, images)
    finally:
        for hook in hooks:
            hook.remove()
    return spans


def _divide(backbone: nn.Module, spans: dict[str, _Span], moment: int) -> Cut:
    before: list[str] = []
    after: list[str] = []

    def look(module: nn.Module, path: str) -> None:
        span, children = spans[path], dict(module.named_children())
        if span.ends and span.ends[-1] <= moment:
            before.append(path)
        elif span.begins and span.begins[0] > moment:
            after.append(path)
        elif children or span.begins:
            _check_no_parameters(module, path)
            for name, child in children.items():
                look(child, f"{path}.{name}" if path else name)
        else:
            after.append(path)  # it never runs, and is kept once

    look(backbone, "")
    return Cut(tuple(before), tuple(after))


def _check_no_parameters(module: nn.Module, path: str) -> None:
    names = [name for name, _ in module.named_parameters(recurse=False)]
    names += [name for name, _ in module.named_buffers(recurse=False)]
    if names:
        raise UserError(
            f"The backbone cannot be cut there: {path or type(module).__name__} runs "
            f"on both sides, and has {', '.join(names)}."
        )


def _check(backbone: nn.Module, cut: Cut, after: str, images: Tensor) -> None:
    trunk = without(copy.deepcopy(backbone), cut.after)
    branch = without(copy.deepcopy(backbone), cut.before)
    refusal = f"{type(backbone).__name__} cannot be cut after {after!r}: "
    try:
        shared = _run(trunk, images)[-1]
        version = shared._version
        joined = _run(branch, shared)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise UserError(f"{refusal}its halves do not fit together ({error}).") from error
    whole = _run(backbone, images)
    same = len(joined) == len(whole) and all(map(torch.equal, joined, whole))
    if not same:
        raise UserError(
            f"{refusal}its halves, one after the other, do not give what it gives as a whole. Cut "
            "after a stage that everything passes through."
        )
    if shared._version != version:
        raise UserError(
            f"{refusal}what follows overwrites its input in place, which all branches share."
        )
