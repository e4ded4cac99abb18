"""Runs: a generation, a stage, a teacher to be trained first. A config may hold a list of them.

::

    runs = [
        dict(name='teacher', model=dict(...)),
        dict(name='student', seeds=[0, 1, 2], model=dict(losses=dict(...))),
    ]

Each run is the rest of the config with the run's own keys merged over it. ``'run:teacher'``,
anywhere in it, stands for the last checkpoint of that run (with seeds: of the same seed, or of the
only one).

Two runs of one seed and one network start from the same weights. ``seed_shift``, added to what
generators are seeded with, makes a run start elsewhere under the same seed.

An entry with a ``type`` stands for several runs: ``dict(type='generations', name='tsd', ...)``.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from cls_kd.engine import train_data
from cls_kd.engine.plain_config import PlainConfig
from cls_kd.errors import UserError, did_you_mean
from cls_kd.files import write_atomically
from cls_kd.registry import RUN_LISTS

RESULT = "result.json"
CONFIG = "config.py"
# What MMEngine's runner reads of a config, and what the engine here does.
SECTIONS = (
    set(inspect.signature(Runner.__init__).parameters)
    | {"activation_checkpointing", "compile", "efficient_conv_bn_eval", "find_unused_parameters"}
    | {"model_wrapper_cfg", "sync_bn", "cpu_threads", "custom_imports"}
) - {"self", "cfg", "work_dir", "resume", "launcher"}
NOT_OF_A_RUN = ("runs", "report", "analyses", "method", "train_data")
# What an entry of the list of runs has beside sections.
OF_A_RUN = ("name", "seeds", "seed_shift", "train_data")
REFERENCE = "run:"


@dataclass
class Run:
    """One training.

    Attributes:
        name: Name in the list; empty for a config that is one run.
        seed: Its seed.
        cfg: Its whole config; references to other runs still stand in it.
        work_dir: Where it writes.
        needs: The runs that it refers to, by reference.
    """

    name: str
    seed: int
    cfg: Config
    work_dir: Path
    needs: dict[str, Run] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """For people: ``kd (seed 3)``."""
        return f"{self.name or self.work_dir.name} (seed {self.seed})"

    def text(self) -> str:
        """The config as it is dumped: what training reads, and not where it writes.

        A config's other names (``seeds``, parts that its runs share) would else make every
        finished run a changed one as soon as a seed is added.
        """
        sections = {key: value for key, value in self.cfg.to_dict().items() if key in SECTIONS}
        return PlainConfig(sections).pretty_text

    def digest(self) -> str:
        """SHA-256 of the config and of the runs that it builds on."""
        parts = [self.text(), *(self.needs[key].digest() for key in sorted(self.needs))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def result(self) -> dict[str, Any] | None:
        """What the finished run left, or None.

        Raises:
            UserError: The file is damaged.
        """
        file = self.work_dir / RESULT
        if not file.is_file():
            return None
        try:
            return json.loads(file.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{file} is damaged ({error}): remove it to run again.") from None

    def checkpoint(self) -> str:
        """Path of the last checkpoint.

        Raises:
            UserError: There is none yet.
        """
        pointer = self.work_dir / "last_checkpoint"
        if not pointer.is_file():
            raise UserError(f"The run {self.title} has no checkpoint in {self.work_dir}.")
        # The folder may have been moved since the pointer was written.
        return str(self.work_dir / Path(pointer.read_text().strip()).name)

    def resolved(self) -> Config:
        """The config with references replaced by the paths that they stand for."""
        paths = {reference: run.checkpoint() for reference, run in self.needs.items()}
        cfg = PlainConfig(_replaced(self.cfg.to_dict(), lambda text: paths.get(text, text)))
        cfg.work_dir = str(self.work_dir)
        return cfg


def plan(cfg: Config, work_dir: Path) -> list[Run]:
    """The runs of a config, in order, each knowing the earlier ones that it builds on.

    Raises:
        UserError: Two runs have one name, or a reference names no earlier run.
    """
    runs = expand(cfg, work_dir)
    for place, run in enumerate(runs):
        run.needs = {
            reference: _find(reference, run, runs[:place]) for reference in _references(run)
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
        for own in seeds if seeds is not None else [seed]:
            one = copy.deepcopy(merged)
            drawn = int(own) + int(spec.get("seed_shift", 0))
            one.randomness = {**one.randomness, "seed": drawn}
            place = work_dir / name if seeds is None else work_dir / name / f"seed_{own}"
            runs.append(Run(name, int(own), one, place))
    return runs


def merged_runs(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any], Config]]:
    """Name, own keys and whole config of each run; one without a name where there is no list."""
    base = PlainConfig(
        {key: value for key, value in cfg.to_dict().items() if key not in NOT_OF_A_RUN}
    )
    if "runs" not in cfg:
        train_data.bring(base, cfg.get("train_data") or {})
        yield "", {}, base
        return
    for spec in run_specs(cfg):
        name = str(spec["name"]).format(method=cfg.get("method", "student"))
        merged = copy.deepcopy(base)
        try:
            # A copy: MMEngine takes `_delete_` out of what it merges, and runs are planned twice.
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
        train_data.bring(merged, train_data.needs(merged, spec.get("train_data"), cfg))
        yield name, spec, merged


def run_specs(cfg: Config) -> list[Mapping[str, Any]]:
    """The list of runs, an entry with a ``type`` replaced by the runs that it stands for."""
    specs: list[Mapping[str, Any]] = []
    for spec in cfg.runs:
        if "type" not in spec:
            specs.append(spec)
            continue
        options = {key: value for key, value in spec.items() if key != "type"}
        make = RUN_LISTS.get(spec["type"])
        if make is None:
            known = did_you_mean(str(spec["type"]), RUN_LISTS.module_dict)
            raise UserError(f"There is no list of runs of the type {spec['type']!r}.{known}")
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
    found = [run for run in runs if name in (run.name, f"{run.name}/seed_{run.seed}")]
    if not found:
        names = {run.name for run in runs if run.name}
        if not names:
            raise UserError(f"--run {name}: the config is one run and has no list of them.")
        raise UserError(f"There is no run {name!r}.{did_you_mean(name, names)}")
    return found[-1]


def check_unchanged(run: Run) -> bool:
    """Whether the run is finished and its config is still the same.

    Raises:
        UserError: It was finished, or begun, with another config; the difference is shown.
    """
    result = run.result()
    dumped = run.work_dir / CONFIG
    if result is not None and result.get("digest") == run.digest():
        return True
    if dumped.is_file() and (result is not None or (run.work_dir / "last_checkpoint").is_file()):
        before = dumped.read_text()
        if result is None and before == run.text():
            return False
        lines = difflib.unified_diff(
            before.splitlines(), run.text().splitlines(), "before", "now", lineterm="", n=0
        )
        difference = "\n".join(lines) or "(a run that it builds on has changed)"
        raise UserError(
            f"The run {run.title} in {run.work_dir} was made with another config:\n{difference}\n"
            "Use another --work-dir, or --restart to run it anew."
        )
    return False


def begin(run: Run, *, resume: bool) -> None:
    """Write the run's config; without ``resume``, forget what an earlier try left behind."""
    run.work_dir.mkdir(parents=True, exist_ok=True)
    (run.work_dir / RESULT).unlink(missing_ok=True)
    if not resume:
        (run.work_dir / "last_checkpoint").unlink(missing_ok=True)
    write_atomically(run.work_dir / CONFIG, run.text())


def finish(run: Run, result: dict[str, Any]) -> None:
    """Write the run's result, the sign that it is finished."""
    facts = {"run": run.name, "seed": run.seed, "digest": run.digest(), **result}
    write_atomically(run.work_dir / RESULT, json.dumps(facts, indent=1))


def _references(run: Run) -> set[str]:
    references: set[str] = set()

    def note(text: str) -> str:
        if text.startswith(REFERENCE):
            references.add(text)
        return text

    _replaced(run.cfg.to_dict(), note)
    return references


def _find(reference: str, run: Run, earlier: list[Run]) -> Run:
    name = reference.removeprefix(REFERENCE)
    found = [one for one in earlier if one.name == name]
    same_seed = [one for one in found if one.seed == run.seed]
    if same_seed or len(found) == 1:
        return (same_seed or found)[0]
    if not found:
        names = {one.name for one in earlier}
        raise UserError(
            f"The run {run.title} refers to 'run:{name}', which is no earlier run."
            f"{did_you_mean(name, names)}"
        )
    seeds = ", ".join(str(one.seed) for one in found)
    raise UserError(f"'run:{name}' has the seeds {seeds}, and none is {run.seed}, of {run.title}.")


def _replaced(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return type(value)({key: _replaced(item, change) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(_replaced(item, change) for item in value)
    return value
