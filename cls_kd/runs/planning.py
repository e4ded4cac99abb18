"""Runs: a generation, a stage, a teacher to be trained first. A config may hold a list of them.

::

    runs = [
        dict(name='teacher', model=dict(...)),
        dict(name='student', seeds=[0, 1, 2], model=dict(losses=dict(...))),
    ]

or a dict by name, ``runs = dict(teacher=dict(model=dict(...)), student=dict(...))``, in its order.

Each run is the rest of the config with the run's own keys merged over it. ``'run:teacher'``,
anywhere in it, stands for the last checkpoint of that run (with seeds: of the same seed, or of the
only one), and ``'run:teacher@5'`` for the one after its fifth epoch, which it has to keep.

Two runs of one seed and one network start from the same weights. ``seed_shift``, added to what
generators are seeded with, makes a run start elsewhere under the same seed.

An entry with a ``type`` stands for several runs: ``dict(type='generations', name='tsd', ...)``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs import data_requirements
from cls_kd.runs.checkpoints import REFERENCE, CheckpointReference, check_kept
from cls_kd.runs.entries import run_entries
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.registry import run_list
from cls_kd.runs.run import Run, map_strings
from cls_kd.runs.sections import NOT_OF_A_RUN, OF_A_RUN


def plan(cfg: Config, work_dir: Path) -> list[Run]:
    """The runs of a config, in order, each knowing the earlier ones that it builds on.

    Raises:
        UserError: Two runs have one name, or a reference names no earlier run, or a checkpoint that
            it does not keep.
    """
    runs = expand(cfg, work_dir)
    for position, run in enumerate(runs):
        run.depends_on = {
            reference: _find(CheckpointReference.parse(reference), run, runs[:position])
            for reference in references(run)
        }
    return runs


def expand(cfg: Config, work_dir: Path) -> list[Run]:
    """The runs of a config, in order, with references left open; enough to look at their networks.

    Raises:
        UserError: Two runs have one name.
    """
    seed = int(cfg.randomness.seed)
    runs: list[Run] = []
    for name, spec, merged in merged_runs(cfg):
        if not name:
            return [Run("", seed, merged, work_dir)]
        if any(run.name == name for run in runs):
            raise UserError(f"Two runs are named {name!r}.")
        seeds = spec.get("seeds")
        for run_seed in seeds if seeds is not None else [seed]:
            seeded = copy.deepcopy(merged)
            drawn = int(run_seed) + int(spec.get("seed_shift", 0))
            seeded.randomness = {**seeded.randomness, "seed": drawn}
            folder = work_dir / name if seeds is None else work_dir / name / f"seed_{run_seed}"
            runs.append(Run(name, int(run_seed), seeded, folder))
    return runs


def merged_runs(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any], Config]]:
    """Name, own keys and whole config of each run; one without a name where there is no list."""
    base = PlainConfig(
        {key: value for key, value in cfg.to_dict().items() if key not in NOT_OF_A_RUN}
    )
    if "runs" not in cfg:
        data_requirements.apply(base, cfg.get("train_data") or {})
        yield "", {}, base
        return
    for spec in run_specs(cfg):
        name = str(spec["name"]).format(method=cfg.get("method", "student"))
        merged = copy.deepcopy(base)
        try:
            # A copy: merging takes `_delete_` out of what is merged.
            overrides = {key: spec[key] for key in spec if key not in OF_A_RUN}
            merged.merge_from_dict(copy.deepcopy(overrides))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise UserError(
                f"The run {name!r} cannot be merged into the config: {error.args[0]}"
            ) from error
        for key, value in base.items():
            if isinstance(value, Mapping) and not isinstance(merged[key], Mapping | None):
                raise UserError(
                    f"The run {name!r}: {key} is a section, with keys, not {merged[key]!r}."
                )
        data_requirements.apply(
            merged, data_requirements.requirements(merged, spec.get("train_data"), cfg)
        )
        yield name, spec, merged


def run_specs(cfg: Config) -> list[Mapping[str, Any]]:
    """The entries of ``runs``, one with a ``type`` replaced by the runs that it stands for."""
    specs: list[Mapping[str, Any]] = []
    for spec in run_entries(cfg.runs).values():
        if "type" not in spec:
            specs.append(spec)
            continue
        options = {key: value for key, value in spec.items() if key != "type"}
        make = run_list(spec["type"])
        try:
            specs += make(cfg, **options)
        except TypeError as error:
            raise UserError(f"The runs {options.get('name')!r}: {error}") from error
    return specs


def choose(runs: Sequence[Run], name: str | None = None) -> Run:
    """One of a config's runs.

    Args:
        runs: From ``plan`` or ``expand``.
        name: ``'kd'``, of several seeds the last; or ``'kd/seed_1'``. Default: the last run.

    Raises:
        UserError: There is no such run; the nearest are listed.
    """
    if name is None:
        return runs[-1]
    matches = [run for run in runs if name in (run.name, f"{run.name}/seed_{run.seed}")]
    if not matches:
        names = {run.name for run in runs if run.name}
        if not names:
            raise UserError(f"--run {name}: the config is one run and has no list of them.")
        raise UserError(f"There is no run {name!r}.{did_you_mean(name, names)}")
    return matches[-1]


def default_work_dir(config: str | Path, method: str | None, cfg: Config) -> Path:
    """``work_dirs/<config>``, with the method's name where the config is one run.

    A config in a folder of a folder of ``configs`` keeps its whole path: there the same name, that
    of a pair, stands in many folders.
    """
    path = Path(config).resolve().with_suffix("")
    above = [folder.name for folder in path.parents]
    depth = above.index("configs") if "configs" in above else 0
    folder = Path("work_dirs", *path.parts[-depth - 1 :] if depth > 1 else path.parts[-1:])
    return folder.with_name(f"{folder.name}_{method}") if method and "runs" not in cfg else folder


def references(run: Run) -> set[str]:
    """The references to other runs in a run's config, ``'run:NAME'`` and ``'run:NAME@EPOCH'``."""
    names: set[str] = set()

    def note(text: str) -> str:
        if text.startswith(REFERENCE):
            names.add(text)
        return text

    map_strings(run.cfg.to_dict(), note)
    return names


def _find(reference: CheckpointReference, run: Run, earlier: list[Run]) -> Run:
    needed = _run_of(reference.run, run, earlier)
    check_kept(reference, run.title, needed.cfg)
    return needed


def _run_of(name: str, run: Run, earlier: list[Run]) -> Run:
    candidates = [candidate for candidate in earlier if candidate.name == name]
    same_seed = [candidate for candidate in candidates if candidate.seed == run.seed]
    if same_seed or len(candidates) == 1:
        return (same_seed or candidates)[0]
    if not candidates:
        names = {candidate.name for candidate in earlier}
        raise UserError(
            f"The run {run.title} refers to 'run:{name}', which is no earlier run."
            f"{did_you_mean(name, names)}"
        )
    seeds = ", ".join(str(candidate.seed) for candidate in candidates)
    raise UserError(f"'run:{name}' has the seeds {seeds}, and none is {run.seed}, of {run.title}.")
