"""Configs by name: those of the package can be named from any folder, as ``digits/demo``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from cls_kd.errors import UserError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
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
    known = packaged_configs()
    if path.as_posix() in known:
        return known[path.as_posix()]
    raise UserError(
        f"The config {name} does not exist, here or in the package.{_hint(path, known)}"
    )


def packaged_configs() -> dict[str, Path]:
    """Name to file of every config of the package, without the parts in ``_base_``."""
    root = CONFIGS.resolve()
    files = {file.relative_to(root).with_suffix(""): file for file in sorted(root.rglob("*.py"))}
    return {name.as_posix(): file for name, file in files.items() if name.parts[0] != _PARTS}


def _hint(path: Path, known: dict[str, Path]) -> str:
    close = get_close_matches(path.as_posix(), known, n=3, cutoff=0.6)
    # The last part alone may be what the user remembers.
    close += [name for name in known if Path(name).name == path.name and name not in close][:3]
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    folders = sorted({Path(name).parts[0] for name in known})
    return f" Packaged configs are in: {', '.join(folders)}. Other configs are named by a path."
