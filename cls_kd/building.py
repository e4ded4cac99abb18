"""Objects from configs: ``dict(type='KDLoss', temperature=4.0)``, without a registry."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from cls_kd.errors import UserError, did_you_mean


def build(config: Mapping[str, Any], known: Mapping[str, Callable[..., Any]], owner: str) -> Any:
    """Create what a config describes.

    Args:
        config: ``type`` (a class, a function, a name among ``known`` or a dotted path) and its
            keyword arguments.
        known: Short names.
        owner: What is created, for messages: ``"The loss 'kd'"``.

    Raises:
        UserError: There is no such type, or it does not take these arguments.
    """
    options = dict(config)
    if "type" not in options:
        names = ", ".join(sorted(known)[:3])
        raise UserError(f"{owner} has no 'type'; it must name one, such as {names}.")
    kind = resolve(options.pop("type"), known, owner)
    try:
        return kind(**options)
    except TypeError as error:
        raise UserError(f"{owner} cannot be built: {error}") from error


def resolve(
    kind: str | Callable[..., Any], known: Mapping[str, Callable[..., Any]], owner: str
) -> Callable[..., Any]:
    """The class or function that a config's ``type`` stands for.

    Raises:
        UserError: There is no such type; the nearest names are listed.
    """
    if not isinstance(kind, str):
        return kind
    if kind in known:
        return known[kind]
    module, _, name = kind.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        hint = did_you_mean(name, known)
        raise UserError(f"{owner} has the unknown type {kind!r}.{hint}") from None
