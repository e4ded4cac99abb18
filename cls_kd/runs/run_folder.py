"""A finished run from its folder alone."""

from __future__ import annotations

from pathlib import Path

from cls_kd.errors import UserError
from cls_kd.runs.checkpoints import CheckpointReference
from cls_kd.runs.compose import read_config
from cls_kd.runs.planning import references
from cls_kd.runs.run import CONFIG, RESULT, Run

_SHOWN = 6


def run_in_folder(folder: str | Path) -> Run:
    """The run that left its ``config.py`` and ``result.json`` in a folder.

    The runs that it builds on are looked for in the folders beside it, where a list of runs writes
    them.

    Raises:
        UserError: The folder holds no finished run, or several; or a run that it builds on is not
            there.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"There is no folder {path}.")
    if not (path / RESULT).is_file() or not (path / CONFIG).is_file():
        raise UserError(f"{path} holds no finished run{_below(path)}")
    cfg = read_config(path / CONFIG)
    facts = Run("", int(cfg.randomness.seed), cfg, path).result() or {}
    run = Run(str(facts.get("run", "")), int(facts.get("seed", 0)), cfg, path)
    run.depends_on = {reference: _needed(reference, run) for reference in sorted(references(run))}
    return run


def _needed(reference: str, run: Run) -> Run:
    name = CheckpointReference.parse(reference).run
    path = run.work_dir.absolute()
    root = path.parent.parent if path.name == f"seed_{run.seed}" else path.parent
    same_seed = root / name / f"seed_{run.seed}"
    seeds = sorted((root / name).glob("seed_*"))
    others = seeds if len(seeds) == 1 else []
    for candidate in (same_seed, root / name, *others):
        if (candidate / RESULT).is_file():
            return run_in_folder(candidate)
    raise UserError(
        f"{run.work_dir} builds on the run {name!r}, which is not in {root / name}: keep the "
        "folders of a list of runs together, or give its CONFIG and --run."
    )


def _below(folder: Path) -> str:
    below = sorted(str(file.parent) for file in folder.rglob(RESULT))
    if not below:
        return f": it has no {RESULT} and {CONFIG}."
    more = f" and {len(below) - _SHOWN} more" if len(below) > _SHOWN else ""
    return f" of its own, but {len(below)} below it: {', '.join(below[:_SHOWN])}{more}."
