"""Configs: read, composed with a method, changed by options of the command line."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs.benchmarks import Cell, find_row
from cls_kd.runs.check_options import check_option_names, check_options_count
from cls_kd.runs.check_sections import check_sections
from cls_kd.runs.methods import apply_method, expand_methods, known_methods
from cls_kd.runs.parsing import parse_config
from cls_kd.runs.sections import TOP_LEVEL

__all__ = ["apply_options", "known_methods", "load_config", "read_config"]


def load_config(
    path: str | Path,
    *,
    method: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int | None = None,
    deterministic: bool = False,
) -> Config:
    """Read a config and apply to it what the command line says.

    The classes that it names are neither imported nor looked at.

    Args:
        path: A Python config.
        method: Name of a file in ``configs/methods``; its losses replace the config's.
        options: ``--cfg-options``, dotted keys.
        seed: Replaces the config's seed, and the list of seeds of every run.
        deterministic: Ask PyTorch for deterministic algorithms.

    Raises:
        UserError: The file does not exist or cannot be read, there is no such method, or a section
            or an option is not known (see ``check_sections`` and ``check_options``).
    """
    cfg = read_config(path)
    if method is not None:
        apply_method(cfg, method, Path(path))
    if options:
        check_option_names(cfg, options)
        apply_options(cfg, options)
    randomness = dict(cfg.get("randomness", {}))
    if seed is not None:
        randomness["seed"] = seed
        runs = cfg.get("runs", [])
        for run in runs.values() if isinstance(runs, Mapping) else runs:
            if "seeds" in run:
                run["seeds"] = [seed]
    cfg.randomness = {"seed": 0, **randomness}
    if deterministic:
        cfg.randomness["deterministic"] = True
    check_sections(cfg)
    for note in check_options_count(cfg, options or {}):
        print(f"note: {note}", file=sys.stderr)
    if "model" in cfg:
        _drop_helpers(cfg)
    return cfg


def _drop_helpers(cfg: Config) -> None:
    """Leave the sections alone: names of its own have done their work when a config is read."""
    for key in set(cfg.to_dict()) - TOP_LEVEL:
        cfg.pop(key)


def read_config(path: str | Path) -> Config:
    """Read a Python config as plain values, with the methods that its runs name.

    Args:
        path: A file; or ``configs/benchmarks/METHOD/DATA/PAIR.py`` of a cell that is a row of the
            method's ``metafile.yml``.

    Raises:
        UserError: It does not exist, or Python cannot make a config of it.
    """
    file = Path(path)
    row = None if file.is_file() else find_row(file)
    cfg = parse_config(file) if row is None else _read_row(row, file)
    expand_methods(cfg, file)
    return cfg


def _read_row(row: Cell, file: Path) -> Config:
    """The config of a cell: its pair, trained by its method, with what the row changes."""
    pair = file.parents[3] / "pairs" / f"{row.pair_config}.py"
    cfg = parse_config(pair)
    apply_method(cfg, row.method_config, file)
    cfg.pop("method")
    # A merge takes `_delete_` out of what it is given.
    cfg.merge_from_dict({"model": {"losses": copy.deepcopy(row.settings)}})
    cfg.merge_from_dict(copy.deepcopy(row.changes))
    return cfg


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge ``--cfg-options`` into ``cfg``.

    Raises:
        UserError: A key leads through something that has no keys, or a section lost its shape.
    """
    before = {key for key, value in cfg.items() if isinstance(value, Mapping)}
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        given = ", ".join(options)
        raise UserError(
            f"--cfg-options {given} cannot be merged into the config: {error.args[0]}"
        ) from error
    for key in before:
        if not isinstance(cfg[key], Mapping | None):
            raise UserError(f"--cfg-options {key}={cfg[key]!r}: {key} is a section, with keys.")
