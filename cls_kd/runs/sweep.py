"""Sweeps: every pair with every method and seed, each teacher and each plain student once.

A sweep is a section of a Python file::

    sweep = dict(pairs=["digits/pair"], methods=["kd", "nkd", "at"], seeds=[0, 1, 2])

or options of ``cls-kd sweep``. ``methods`` may also be a dict: the name of a run to the options
that it changes, and ``method``, where the method's config has another name::

    methods = dict(kd={}, kd_hot={"method": "kd", "model.losses.kd.temperature": 8.0})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs.compose import known_methods, load_config, read_config
from cls_kd.runs.config_names import find_config
from cls_kd.runs.entries import run_entries
from cls_kd.runs.planning import plan
from cls_kd.runs.reproduction import missing_teacher, seed_runs, teacher_config, teacher_run
from cls_kd.runs.run import Run

STUDENT = "student"
"""Name of the runs of the student alone, which a report takes as baseline."""

ALL = "all"
_WITHOUT_TEACHER = "ce"
_KEYS = ("pairs", "methods", "seeds", "cfg_options", "slurm")
_METHOD = "method"

Load = Callable[..., Config]


@dataclass(frozen=True)
class Sweep:
    """Pairs, methods and seeds that are to be trained.

    Attributes:
        pairs: Configs of pairs: paths, or names of packaged ones.
        methods: Name of a run to the options that it changes, with ``method`` where that is not
            its name; ``{'all': {}}`` for every method that fits a pair.
        seeds: Of the plain student and of every method.
        cfg_options: Changes of every config, dotted keys.
        slurm: Options of the Slurm executor.
    """

    pairs: tuple[str, ...]
    methods: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...] = (0,)
    cfg_options: Mapping[str, Any] = field(default_factory=dict)
    slurm: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_all(self) -> bool:
        """True if every method that fits is meant."""
        return set(self.methods) == {ALL}

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Sweep:
        """A sweep from its section of a file.

        Raises:
            UserError: A key is missing or not known, or a value is of another form.
        """
        unknown = sorted(set(section) - set(_KEYS))
        if unknown:
            raise UserError(f"sweep: there is no {unknown[0]!r}. Known: {', '.join(_KEYS)}.")
        pairs = _listed("pairs", section.get("pairs"))
        methods = section.get("methods")
        if not isinstance(methods, Mapping):
            methods = {name: {} for name in _listed("methods", methods)}
        if STUDENT in methods:
            raise UserError(
                f"sweep: {STUDENT!r} is the run of the student alone, which comes by itself."
            )
        seeds = [*section.get("seeds", (0,))]
        if not seeds or not all(isinstance(seed, int) for seed in seeds):
            raise UserError(f"sweep: seeds must be whole numbers, not {seeds!r}.")
        if len(set(seeds)) < len(seeds):
            raise UserError(f"sweep: a seed comes twice in {seeds}.")
        return cls(
            tuple(pairs),
            {name: dict(options) for name, options in methods.items()},
            tuple(seeds),
            dict(section.get("cfg_options", {})),
            dict(section.get("slurm", {})),
        )


def read_sweep(path: str | Path) -> Sweep:
    """The sweep of a file.

    Raises:
        UserError: The file cannot be read, or has no valid ``sweep``.
    """
    cfg = read_config(path)
    if "sweep" not in cfg:
        raise UserError(f"{path} has no sweep = dict(pairs=[...], methods=[...], seeds=[...]).")
    return Sweep.of(cfg.sweep)


def pair_folders(pairs: Sequence[str]) -> dict[str, str]:
    """Pair to the name of its folder: the last part of its name where that is unique."""
    stems = [Path(pair).stem for pair in pairs]
    return {
        pair: stem
        if stems.count(stem) == 1
        else "_".join(Path(pair).with_suffix("").parts).strip("./")
        for pair, stem in zip(pairs, stems, strict=True)
    }


def plan_sweep(sweep: Sweep, work_dir: Path, load: Load = load_config) -> dict[str, list[Run]]:
    """The runs of each pair, in order: teachers, the student alone, the methods.

    Args:
        sweep: Pairs, methods and seeds to be trained.
        work_dir: The runs of a pair are in a folder of it, see `pair_folders`.
        load: Reads a config: `load_config`, or the engine's, which checks classes too.

    Raises:
        UserError: A config cannot be read or planned.
    """
    folders = pair_folders(sweep.pairs)
    return {
        folder: _pair_runs(sweep, pair, work_dir / folder, load) for pair, folder in folders.items()
    }


def _pair_runs(sweep: Sweep, pair: str, folder: Path, load: Load) -> list[Run]:
    config = find_config(pair)
    specs = {STUDENT: {_METHOD: _WITHOUT_TEACHER}, **_methods(sweep, config, load)}
    runs: dict[Path, Run] = {}
    for name, changes in specs.items():
        options = {**sweep.cfg_options, **changes}
        method = options.pop(_METHOD, name)
        cfg = load(config, method=method, options=options)
        if name == STUDENT:
            _remove_teacher(cfg)
        for run in method_runs(cfg, name, sweep, folder, load):
            known = runs.setdefault(run.work_dir, run)
            if known is not run and known.digest() != run.digest():
                raise UserError(
                    f"{pair}: the run {run.title} differs between methods: give the options of "
                    f"{name!r} to its losses, or to all by cfg_options."
                )
    return [_with_shared_needs(run, runs) for run in runs.values()]


def _with_shared_needs(run: Run, runs: Mapping[Path, Run]) -> Run:
    """The run, with the one object of each run that it builds on."""
    run.depends_on = {
        reference: runs[needed.work_dir] for reference, needed in run.depends_on.items()
    }
    return run


def _remove_teacher(cfg: Config) -> None:
    """Make the last run of a config, or its only one, that of the student alone."""
    if "runs" not in cfg:
        cfg.model.teacher = None
        return
    entries = [dict(entry) for entry in run_entries(cfg.runs).values()]
    entries[-1]["model"] = {**entries[-1].get("model", {}), "teacher": None}
    cfg.runs = entries


def method_runs(cfg: Config, name: str, sweep: Sweep, folder: Path, load: Load) -> list[Run]:
    """Runs of a pair's config with one method: those that it builds on, and every seed.

    Args:
        cfg: Of the pair, with the method.
        name: Of the runs of every seed.
        sweep: Gives the seeds, and the options of a teacher that has to be trained.
        folder: The runs are in folders of it.
        load: Reads the config of that teacher.

    Raises:
        UserError: There is no config that trains the teacher.
    """
    if "runs" in cfg:
        entries = [dict(entry) for entry in run_entries(cfg.runs).values()]
        entries[-1].update(name=name, seeds=list(sweep.seeds))
        cfg.runs = entries
        return plan(cfg, folder)
    missing = missing_teacher(cfg)
    if missing is None:
        return seed_runs(cfg, name, sweep.seeds, folder)
    teacher = teacher_run(load(teacher_config(missing)), sweep.cfg_options, folder)
    return [teacher, *seed_runs(cfg, name, sweep.seeds, folder, teacher)]


def _methods(sweep: Sweep, config: Path, load: Load) -> Mapping[str, Mapping[str, Any]]:
    """The sweep's methods; of all, those that can be composed with the pair."""
    if not sweep.takes_all:
        return sweep.methods
    names = [name for name in known_methods(config) if name != _WITHOUT_TEACHER]
    return {name: {} for name in names if _fits(config, name, load)}


def _fits(config: Path, method: str, load: Load) -> bool:
    try:
        load(config, method=method)
    except UserError:
        return False
    return True


def _listed(key: str, value: Any) -> list[str]:
    if isinstance(value, str) or not value or not all(isinstance(item, str) for item in value):
        raise UserError(f"sweep: {key} must be a list of names, not {value!r}.")
    if len(set(value)) < len(value):
        raise UserError(f"sweep: a name comes twice in {key}.")
    return list(value)
