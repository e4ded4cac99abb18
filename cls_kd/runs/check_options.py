"""Options of the command line: whether there is such a key, and whether a run listens to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs.check_sections import ELSEWHERE
from cls_kd.runs.entries import run_entries
from cls_kd.runs.planning import run_specs
from cls_kd.runs.sections import SECTIONS, TOP_LEVEL

_ABSENT = object()


def check_option_names(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuse options whose section is not known.

    Args:
        cfg: The config before the options are merged into it.
        options: ``--cfg-options``, dotted keys.

    Raises:
        UserError: No part of training reads this section, with the nearest keys of the config.
    """
    for key, value in options.items():
        section = key.split(".")[0]
        if section == "runs":
            _check_run_name(cfg, key, value)
        if section in TOP_LEVEL:
            continue
        problem = f"--cfg-options {key}={value}: "
        if section in ELSEWHERE:
            raise UserError(problem + ELSEWHERE[section])
        if section in cfg:
            raise UserError(
                f"{problem}{section!r} is a name of the config's own, whose value was used when "
                "the file was read: change the sections that it went into."
            )
        raise UserError(f"{problem}the config has no {section!r}.{_nearest(cfg, key)}")


def check_options_count(cfg: Config, options: Mapping[str, Any]) -> list[str]:
    """Refuse options that no run listens to, because each sets the same key itself.

    Args:
        cfg: The config with the options merged into it.
        options: ``--cfg-options``, dotted keys.

    Returns:
        A line for each option that only some of the runs listen to.

    Raises:
        UserError: An option changes nothing.
    """
    if "runs" not in cfg:
        return []
    specs = run_specs(cfg)
    notes = []
    for key, value in options.items():
        if key.split(".")[0] not in SECTIONS:
            continue
        values = {str(spec.get("name")): _set_by_run(spec, key, value) for spec in specs}
        deaf = {name: given for name, given in values.items() if given != value}
        deaf = {name: given for name, given in deaf.items() if given is not None}
        if deaf and len(deaf) == len(specs):
            raise UserError(
                f"--cfg-options {key}={value} changes nothing: every run has its own "
                f"({', '.join(f'{name}: {given}' for name, given in deaf.items())}). "
                f"{_in_a_run(cfg, key, value)}"
            )
        replaced = {name: given for name, given in deaf.items() if given is not _ABSENT}
        if replaced:
            listed = ", ".join(f"{name} ({given})" for name, given in replaced.items())
            notes.append(
                f"--cfg-options {key}={value} does not reach runs that have their own: {listed}. "
                f"{_in_a_run(cfg, key, value)}"
            )
    return notes


def _check_run_name(cfg: Config, key: str, value: Any) -> None:
    """Refuse a run that is not there: merging would make a new one of it."""
    runs, path = cfg.get("runs"), key.split(".")
    if isinstance(runs, Mapping) and len(path) > 1 and path[1] not in runs:
        hint = did_you_mean(path[1], runs)
        raise UserError(f"--cfg-options {key}={value}: there is no run {path[1]!r}.{hint}")


def _in_a_run(cfg: Config, key: str, value: Any) -> str:
    if key == "randomness.seed":
        return f"--seed {value} replaces the seeds of every run."
    first = next(iter(run_entries(cfg.runs)))
    by = "its name" if isinstance(cfg.runs, Mapping) else "its place in the list"
    return f"One run is changed by {by}: {first}.{key}={value}."


def _set_by_run(spec: Mapping[str, Any], key: str, value: Any) -> Any:
    """Value that a run's own keys give an option; None if they leave it alone."""
    if key == "randomness.seed" and spec.get("seeds") is not None:
        return spec["seeds"]
    node: Any = spec
    for part in key.split("."):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, Mapping):
            return _ABSENT if node.get("_delete_") else None
        elif isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _ABSENT
    return node


def _nearest(cfg: Config, key: str) -> str:
    """The keys of the config that an unknown one may stand for."""
    paths = [path for path in _paths(cfg.to_dict()) if path.split(".")[0] in TOP_LEVEL]
    last = key.rsplit(".", 1)[-1]
    same_end = [path for path in paths if path.rsplit(".", 1)[-1] == last]
    close = get_close_matches(key, paths, n=3, cutoff=0.7)
    suggestions = close or [path for path in same_end if not path.startswith("runs.")][:3]
    if suggestions:
        return f" Did you mean {' or '.join(repr(path) for path in suggestions)}?"
    return did_you_mean(key.split(".")[0], TOP_LEVEL)


def _paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(position), item) for position, item in enumerate(value)]
    else:
        return
    for key, item in items:
        yield prefix + key
        yield from _paths(item, f"{prefix}{key}.")
