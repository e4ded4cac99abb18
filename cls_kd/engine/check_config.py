"""The keys of a config, compared with what the classes that they are given to take.

MMEngine ignores a section that it does not know, and some classes an argument that they do not
know, so that a misspelt key trains with the default and says nothing. Everything that can be looked
up without building anything is checked when a config is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.utils import get_object_from_string

from cls_kd.engine.config_kinds import KINDS, Kind
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import OPTIM_WRAPPER_CONSTRUCTORS, known_names
from cls_kd.runs.check_sections import check_keys
from cls_kd.runs.entries import run_entries
from cls_kd.runs.planning import merged_runs
from cls_kd.runs.sections import SECTIONS
from cls_kd.runs.signatures import Keywords, keywords


def check_config(cfg: Config) -> None:
    """Refuse keys that the classes and functions named in a config do not take.

    Args:
        cfg: A whole config, whose sections are known (``cls_kd.runs.check_sections``).

    Raises:
        UserError: A key that is not known, with the nearest that are.
    """
    values = cfg.to_dict()
    for key in ("report", "analyses"):
        _check(values.get(key), key, key)
    for path, entry in run_entries(values.get("runs", [])).items():
        if "type" not in entry:
            _check(entry.get("train_data"), "train_data", f"{path}.train_data")
    # A file that holds losses or data alone is no training.
    trainings = merged_runs(cfg) if "model" in cfg else [("", {}, cfg)]
    checked: list[tuple[str, Any]] = []
    for name, _, merged in trainings:
        where = f"The run {name!r}: " if name else ""
        for section, value in merged.to_dict().items():
            if section in SECTIONS & set(KINDS) and (section, value) not in checked:
                _check(value, section, where + section)
                checked.append((section, value))


def _check(value: Any, kind_name: str, path: str) -> None:
    """Check a part of a config, and what is inside it."""
    kind = KINDS[kind_name]
    if isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _check(item, kind_name, f"{path}.{position}")
        return
    if not isinstance(value, Mapping):
        return
    if kind.named:
        for name, item in value.items():
            _check(item, kind.named, f"{path}.{name}")
        return
    target = _target(value, kind, path)
    known = keywords(target) if target is not None else Keywords(frozenset())
    if target is None and kind.registry is not None:
        return
    required = frozenset() if kind.given is None else known.required - kind.given
    known = Keywords(known.names | kind.extra, known.others, required | kind.needed)
    name = getattr(target, "__name__", "") if kind.registry is not None else ""
    check_keys(value, known, path, name)
    _check_constructor(value, path)
    for key, inner in kind.inside_of(target).items():
        if key in value:
            _check(value[key], inner, f"{path}.{key}")


def _target(value: Mapping[str, Any], kind: Kind, path: str) -> Callable[..., Any] | None:
    """The class or the function that a dict is given to; None where it is not known."""
    if kind.registry is None:
        chosen = kind.default(value) or kind.target
        assert not isinstance(chosen, str)
        return chosen
    given = value.get("type", kind.default(value))
    if given is None:
        if kind.lenient:
            return None
        raise UserError(f"{path} says no type, such as type={kind.example!r}.")
    if not isinstance(given, str):
        return given
    target = kind.registry.get(given) or get_object_from_string(given)
    if target is None and not kind.lenient:
        raise UserError(_unknown(given, kind, path))
    return target


def _unknown(given: str, kind: Kind, path: str) -> str:
    assert kind.registry is not None
    hint = did_you_mean(given.rsplit(".", 1)[-1], known_names(kind.registry), every=False)
    return f"{path}: there is no {kind.registry.name} {given!r}.{hint}"


def _check_constructor(value: Mapping[str, Any], path: str) -> None:
    given = value.get("constructor")
    if isinstance(given, str) and OPTIM_WRAPPER_CONSTRUCTORS.get(given) is None:
        hint = did_you_mean(given, known_names(OPTIM_WRAPPER_CONSTRUCTORS), every=False)
        raise UserError(f"{path}.constructor: there is no constructor {given!r}.{hint}")
