"""The benchmarks: published results, and the settings that reproduce them.

A cell is a row of a ``metafile.yml``: a pair, a method and the options that differ from the
method's config. Where the schedule or the networks differ too, the cell has a config file of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cls_kd.errors import UserError, did_you_mean

FOLDER = Path(__file__).resolve().parents[1] / "configs" / "benchmarks"
METAFILE = "metafile.yml"
_FIGURES = ("top1", "teacher", "student")
_OF_A_RESULT = {*_FIGURES, "source"}
_OPTIONAL = {"note", "pair", "method", "settings", "settings_from", "changes", "track"}
_OF_A_SOURCE = {"where", "epoch", "second_hand"}
_EPOCHS = ("last", "best", "unknown")
# libyaml's loader where PyYAML was built with it: ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TRACKS = ("protocol", "longer", "extra views", "other recipe")
"""Tracks of published results: the usual protocol of the pair, a longer training, more views of
each image, or another recipe."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table: a method on a pair.

    Attributes:
        method: Folder below ``configs/benchmarks``.
        pair: ``cifar100/resnet32x4_resnet8x4``; without a teacher ``imagenet/resnet18``.
        config: Path of the config that trains it, for ``load_config``: a file, or the row.
        paper: The method's.
        top1: Published accuracy in percent; None where none is.
        teacher: That of the teacher; None where there is none, or none is named.
        student: That of the student alone.
        source: Where the figures are published.
        epoch: Which epoch they are of: last, best or unknown.
        second_hand: They stand in the table of another work than the method's or the protocol's.
        note: What else there is to know.
        track: One of `TRACKS`.
        settings: Options of the losses that differ from the method's; None where the cell has a
            config file.
        changes: Other keys of the config that differ from the pair's: the student, the optimizer,
            the schedule.
        settings_from: Where the settings are published.
        method_config: Name of the config of the method, in ``configs/methods``.
        pair_config: Name of the config of the pair, in ``configs/pairs``.
    """

    method: str
    pair: str
    config: Path
    paper: str
    top1: float | None
    teacher: float | None
    student: float | None
    source: str
    epoch: str
    second_hand: bool
    note: str = ""
    track: str = "protocol"
    settings: Mapping[str, Mapping[str, Any]] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    settings_from: str = ""
    method_config: str = ""
    pair_config: str = ""

    @property
    def name(self) -> str:
        """``dkd/cifar100/vgg13_vgg8``."""
        return f"{self.method}/{self.pair}"

    @property
    def gain(self) -> float | None:
        """Published accuracy over that of the student alone."""
        return None if self.top1 is None or self.student is None else self.top1 - self.student


def read_cells(folder: Path = FOLDER) -> list[Cell]:
    """Every cell of every metafile, method by method.

    Raises:
        UserError: A metafile has an odd entry.
    """
    files = sorted(folder.glob(f"*/{METAFILE}"))
    return [cell for file in files for cell in _cells_of(file)]


def find_cell(name: str) -> Cell:
    """The cell ``METHOD/DATA/PAIR``.

    Raises:
        UserError: There is none; the nearest are listed.
    """
    cells = {cell.name: cell for cell in read_cells()}
    if name not in cells:
        hint = did_you_mean(name, cells, every=False)
        raise UserError(f"There is no benchmark {name!r}.{hint}")
    return cells[name]


def find_row(path: str | Path) -> Cell | None:
    """The row that stands for a config ``benchmarks/METHOD/DATA/PAIR.py``, or None.

    Raises:
        UserError: The metafile has an odd entry.
    """
    path = Path(path)
    metafile = path.parent.parent / METAFILE
    if path.suffix != ".py" or not metafile.is_file():
        return None
    pair = f"{path.parent.name}/{path.stem}"
    rows = [cell for cell in _cells_of(metafile) if cell.pair == pair]
    return rows[0] if rows and rows[0].settings is not None else None


def rows_near(path: Path) -> list[Path]:
    """Paths of the rows beside a config that does not exist."""
    metafile = path.parent.parent / METAFILE
    if not metafile.is_file():
        return []
    return [cell.config for cell in _cells_of(metafile) if cell.settings is not None]


def choose_cells(
    cells: Iterable[Cell], *, method: str | None = None, pair: str | None = None
) -> list[Cell]:
    """The cells of a method, and of a pair.

    Args:
        cells: From ``read_cells``.
        method: Name of a method.
        pair: A pair with or without its data, or the name of one of its networks.

    Raises:
        UserError: There is none; the nearest are listed.
    """
    chosen = list(cells)
    if method is not None:
        known = {cell.method for cell in chosen}
        chosen = [cell for cell in chosen if cell.method == method]
        if not chosen:
            raise UserError(f"No method {method!r} has benchmarks.{did_you_mean(method, known)}")
    if pair is not None:
        known = {cell.pair.split("/")[1] for cell in chosen}
        chosen = [cell for cell in chosen if _is_of(cell.pair, pair)]
        if not chosen:
            of_method = f" of {method}" if method else ""
            raise UserError(
                f"No benchmark{of_method} is on {pair!r}.{did_you_mean(pair, known, every=False)}"
            )
    return chosen


def _is_of(pair: str, wanted: str) -> bool:
    data, name = pair.split("/")
    if wanted in (pair, data, name):
        return True
    return name.startswith(f"{wanted}_") or name.endswith(f"_{wanted}")


def _cells_of(file: Path) -> list[Cell]:
    content = _content_of(file, file.stat().st_mtime_ns)
    _check_keys(content, {"paper", "sources", "results"}, {"settings_from"}, str(file))
    for name, source in content["sources"].items():
        _check_keys(source, _OF_A_SOURCE, set(), f"{file}, source {name}")
        if source["epoch"] not in _EPOCHS:
            raise UserError(f"{file}, source {name}: epoch is one of {', '.join(_EPOCHS)}.")
    cells = []
    for pair, result in content["results"].items():
        where = f"{file}, {pair}"
        _check_keys(result, _OF_A_RESULT, _OPTIONAL, where)
        source = content["sources"].get(result["source"])
        if source is None:
            known = did_you_mean(str(result["source"]), content["sources"])
            raise UserError(f"{where}: there is no source {result['source']!r}.{known}")
        if result.get("track", "protocol") not in TRACKS:
            raise UserError(f"{where}: track is one of {', '.join(TRACKS)}.")
        for key in _FIGURES:
            value = result[key]
            if value is not None and not (isinstance(value, float) and 0 < value < 100):
                raise UserError(f"{where}: {key} is in percent or null, not {value!r}.")
        cells.append(
            Cell(
                method=file.parent.name,
                pair=pair,
                config=file.parent / f"{pair}.py",
                paper=content["paper"],
                source=source["where"],
                epoch=source["epoch"],
                second_hand=source["second_hand"],
                **{key: result[key] for key in _FIGURES},
                note=result.get("note", ""),
                track=result.get("track", "protocol"),
                settings=result.get("settings"),
                changes=result.get("changes", {}),
                settings_from=result.get("settings_from", content.get("settings_from", "")),
                method_config=result.get("method", file.parent.name),
                pair_config=result.get("pair", pair),
            )
        )
    return cells


@cache
def _content_of(file: Path, changed: int) -> Any:
    """The metafile as it was when it was last changed: each row of a method reads it."""
    try:
        return yaml.load(file.read_text(encoding="utf-8"), _LOADER)
    except yaml.YAMLError as error:
        raise UserError(f"{file} is no YAML: {error}") from error


def _check_keys(entry: Any, needed: set[str], allowed: set[str], where: str) -> None:
    keys = set(entry) if isinstance(entry, Mapping) else set()
    missing, unknown = sorted(needed - keys), sorted(keys - needed - allowed)
    if missing or unknown:
        raise UserError(
            f"{where}: missing {', '.join(missing) or 'nothing'}, unknown "
            f"{', '.join(unknown) or 'nothing'}."
        )
