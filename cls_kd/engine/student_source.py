"""A trained student from whatever holds it: a run's folder, a checkpoint, an exported folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from cls_kd.engine.configs import load_config
from cls_kd.engine.export import Student, read_student
from cls_kd.engine.export.report import FACTS
from cls_kd.engine.exported import read_exported
from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs import CONFIG, RESULT, Run, choose, expand, read_config
from cls_kd.runs.config_names import find_config

_SHOWN = 6


def open_student(
    source: str | Path,
    config: str | Path | Config | None = None,
    *,
    shape: Sequence[int] | None = None,
    branch: int | str | None = None,
) -> Student:
    """The student in ``source``.

    Args:
        source: The folder of a run, a checkpoint, or an exported folder or a file in it.
        config: Of a checkpoint that has no ``config.py`` beside it: a file, the name of a packaged
            config, or the config of one run. Of a list of runs, the last.
        shape: See ``read_student``.
        branch: See ``read_student``.

    Raises:
        UserError: There is no student, or its config, data and weights do not fit.
    """
    path = Path(source).expanduser()
    if not path.exists():
        beside = [str(file) for file in path.parent.glob("*")]
        hint = did_you_mean(str(path), beside, every=False) if beside else ""
        raise UserError(f"There is no file or folder {path}.{hint if 'Did you' in hint else ''}")
    folder = path if path.is_dir() else path.parent
    if (folder / FACTS).is_file() and config is None:
        return read_exported(folder)
    checkpoint = _checkpoint_of_run(path) if path.is_dir() else str(path)
    if config is None:
        return read_student(_config_beside(path, folder), checkpoint, shape, branch)
    if not isinstance(config, Config):
        config = choose(expand(load_config(find_config(config)), Path())).cfg
    return read_student(config, checkpoint, shape, branch)


def _checkpoint_of_run(folder: Path) -> str:
    if (folder / CONFIG).is_file():
        return Run("", 0, Config(), folder).checkpoint()
    below = sorted({str(file.parent) for file in folder.rglob(RESULT)})
    if below:
        more = f" and {len(below) - _SHOWN} more" if len(below) > _SHOWN else ""
        raise UserError(
            f"{folder} holds {len(below)} runs. Name the folder of one: "
            f"{', '.join(below[:_SHOWN])}{more}."
        )
    raise UserError(
        f"{folder} holds no student: a run's folder has {CONFIG} and a checkpoint, an exported one "
        f"has {FACTS}."
    )


def _config_beside(source: Path, folder: Path) -> Config:
    file = folder / CONFIG
    if not file.is_file():
        raise UserError(
            f"The checkpoint {source} has no {CONFIG} beside it: say which config it was trained "
            "with (--config CONFIG, in Python config=...)."
        )
    return read_config(file)
