"""Configs as plain values, whose text is quick to make and the same wherever it is made."""

from __future__ import annotations

import pprint
from typing import Any

from mmengine.config import Config


class PlainConfig(Config):
    """A config of plain values: with types as dotted names, dumps, diffs and merges are one thing.

    MMEngine formats the text of a config with yapf, for a third of a second, at every checkpoint.
    """

    @property
    def pretty_text(self) -> str:
        """One assignment a key: Python that reads as the same config."""
        # Everywhere but in runs by name, the order of keys means nothing.
        return "".join(
            f"{key} = {pprint.pformat(value, width=98, sort_dicts=key != 'runs')}\n"
            for key, value in sorted(plain(self.to_dict()).items())
        )


def plain(value: Any) -> Any:
    """Dicts, lists and tuples in place of their subclasses."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(plain(item) for item in value)
    return value
