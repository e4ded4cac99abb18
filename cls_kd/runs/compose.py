"""Configs: read, composed with a method, changed by options of the command line."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.utils import import_modules_from_strings

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs.benchmarks import Cell, find_row, rows_near
from cls_kd.runs.check_options import check_option_names, check_options_count
from cls_kd.runs.check_sections import check_sections
from cls_kd.runs.plain_config import PlainConfig

_OWN_METHODS = Path(__file__).resolve().parents[1] / "configs" / "methods"


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
    return cfg


def read_config(path: str | Path) -> Config:
    """Read a Python config, with an error that names the file.

    Args:
        path: A file; or ``configs/benchmarks/METHOD/DATA/PAIR.py`` of a cell that is a row of the
            method's ``metafile.yml``.

    Raises:
        UserError: It does not exist, or Python cannot make a config of it.
    """
    file = Path(path)
    if not file.is_file():
        row = find_row(file)
        if row is not None:
            return _read_row(row, configs=file.parents[3])
        folder = file.parent if file.parent.is_dir() else Path(".")
        known = [
            *(str(item) for item in folder.glob("*.py")),
            *(str(item) for item in rows_near(file)),
        ]
        raise UserError(f"The config {path} does not exist.{did_you_mean(str(file), known)}")
    try:
        # Plain values, types as dotted names: what is dumped, compared and merged.
        cfg = PlainConfig(Config.fromfile(file).to_dict(), filename=str(file))
        if cfg.get("custom_imports"):
            import_modules_from_strings(**cfg.custom_imports)
    except ConfigParsingError as error:
        raise UserError(f"The config {path} cannot be read. {_advice(error, file)}") from error
    except Exception as error:
        # Reading a config runs it: anything can go wrong there, and all of it is the file's.
        raise UserError(
            f"The config {path} cannot be read. {type(error).__name__}: {error}"
        ) from error
    return cfg


def _read_row(row: Cell, configs: Path) -> Config:
    """The config of a cell: its pair, trained by its method with the settings of the row."""
    method = read_config(configs / "methods" / f"{row.method_config}.py").to_dict()
    pair = read_config(configs / "pairs" / f"{row.pair_config}.py").to_dict()
    cfg = PlainConfig({**method, **pair})
    cfg.model.losses = method["losses"]
    cfg.merge_from_dict({"model": {"losses": dict(row.settings or {})}})
    return cfg


def _advice(error: ConfigParsingError, file: Path) -> str:
    if "import *" not in str(error):
        return f"{type(error).__name__}: {error}"
    stars = [
        f" (line {node.lineno}: from {'.' * node.level}{node.module or ''} import *)"
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    return (
        f"`from x import *` is for base configs, inside `with read_base():`{''.join(stars)}. From "
        "any other module import names one by one: from cls_kd.losses import KDLoss, TaskLoss."
    )


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


def apply_method(cfg: Config, method: str, path: Path) -> None:
    """Replace the losses of ``cfg`` by those of ``configs/methods/<method>.py``.

    What the method needs of the training data (``train_data``, see ``data_requirements``) comes
    along, for all runs that keep its losses. What it needs of a student of several branches
    (``student``: a fusion, a cut) is merged over the config's.

    Methods are looked for in a folder ``methods`` beside the config or above it, then in this
    project's own. A run named ``'{method}'`` takes the method's name.

    Raises:
        UserError: There is no such method; the nearest are listed.
    """
    known = known_methods(path)
    if method not in known:
        raise UserError(f"There is no method {method!r}.{did_you_mean(method, known)}")
    if "model" not in cfg or "losses" not in cfg.model:
        raise UserError(f"{path} has no model.losses which --method could replace.")
    parts = read_config(known[method])
    cfg.model.losses = parts.losses
    if "train_data" in parts:
        cfg.train_data = parts.train_data
    if "student" in parts:
        _change_student(cfg, method, parts.student)
    cfg.method = method


def _change_student(cfg: Config, method: str, changes: Mapping[str, Any]) -> None:
    """Merge an online method's options of a student: its fusion, where branches part."""
    student = cfg.model.get("student")
    kind = student.get("type", "") if isinstance(student, Mapping) else student
    if not str(kind).endswith("MultiBranchClassifier"):
        raise UserError(
            f"The method {method!r} is for a student of several branches "
            "(dict(type='MultiBranchClassifier', ...), as in configs/digits/branches.py), and this "
            f"one is {kind}."
        )
    cfg.merge_from_dict({"model": {"student": dict(changes)}})


def known_methods(path: Path | None = None) -> dict[str, Path]:
    """Name to file of every method that a config at ``path`` can be composed with."""
    above = list(path.resolve().parents) if path is not None else []
    folders = [_OWN_METHODS, *(folder / "methods" for folder in reversed(above))]
    return {
        file.stem: file
        for folder in folders
        for file in sorted(folder.glob("*.py"))
        if not file.stem.startswith("_")
    }
