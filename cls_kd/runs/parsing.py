"""Reading a config file as plain values."""

from __future__ import annotations

import ast
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.utils import import_modules_from_strings

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs.benchmarks import rows_near
from cls_kd.runs.plain_config import PlainConfig


def parse_config(path: str | Path) -> Config:
    """Read a Python config as it stands, with an error that names the file.

    Args:
        path: A file.

    Raises:
        UserError: It does not exist, or Python cannot make a config of it.
    """
    file = Path(path)
    if not file.is_file():
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
