"""Configs by name: those of the package can be named from any folder, as ``digits/demo``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from cls_kd.errors import UserError
from cls_kd.runs.benchmarks import find_row, read_cells

CONFIGS = (Path(__file__).resolve().parents[1] / "configs").resolve()
"""The configs of the package."""

_PARTS = "_base_"
_SUFFIX = ".py"


def find_config(name: str | Path) -> Path:
    """The file of a config.

    Args:
        name: A path, or the name of a packaged config: its path below ``configs`` without
            ``.py``. A file of that path in the current folder takes precedence.

    Raises:
        UserError: There is no such packaged config; the nearest names are listed. A path that ends
            with ``.py`` is returned even if no file is there: whoever reads it says so.
    """
    path = Path(name)
    if path.is_file() or path.suffix == _SUFFIX:
        return path
    if is_packaged(name):
        return CONFIGS / f"{name}{_SUFFIX}"
    hint = _hint(path, packaged_configs())
    raise UserError(f"The config {name} does not exist, here or in the package.{hint}")


def is_packaged(name: str | Path) -> bool:
    """Test for the name of a config of the package."""
    file = CONFIGS / f"{name}{_SUFFIX}"
    known = file.is_file() or find_row(file) is not None
    return known and Path(name).parts[:1] != (_PARTS,)


def packaged_configs() -> dict[str, Path]:
    """Name to path of every config of the package: files, and rows of benchmarks."""
    rows = [cell.config for cell in read_cells(CONFIGS / "benchmarks")]
    files = sorted({*CONFIGS.rglob(f"*{_SUFFIX}"), *rows})
    names = {file.relative_to(CONFIGS).with_suffix(""): file for file in files}
    return {name.as_posix(): file for name, file in names.items() if name.parts[0] != _PARTS}


def _hint(path: Path, known: dict[str, Path]) -> str:
    close = get_close_matches(path.as_posix(), known, n=3, cutoff=0.6)
    # The last part alone may be what the user remembers.
    close += [name for name in known if Path(name).name == path.name and name not in close][:3]
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    folders = sorted({Path(name).parts[0] for name in known})
    return f" Packaged configs are in: {', '.join(folders)}. Other configs are named by a path."
