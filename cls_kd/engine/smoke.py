"""Every config as a tiny training: two steps on synthetic images, through the whole engine."""

from __future__ import annotations

import gc
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from cls_kd.engine.compat import prepare_process
from cls_kd.engine.configs import load_config
from cls_kd.engine.smoke_config import BATCH, last_of, sides, tiny_config, write_data
from cls_kd.engine.smoke_groups import group_cells, joined_config
from cls_kd.engine.train import train
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import MODELS
from cls_kd.runs import Run, plan, read_config
from cls_kd.runs.benchmarks import read_cells
from cls_kd.runs.checkpoints import REFERENCE
from cls_kd.runs.plain_config import PlainConfig

_NOT_ALONE = ("_base_", "methods")


@dataclass(frozen=True)
class Outcome:
    """Result of trying one config.

    Attributes:
        name: Path below ``configs``, without its ending.
        did: What was done, ``trained 3 runs``; or the error.
        seconds: How long it took.
        failed: Whether it is an error.
    """

    name: str
    did: str
    seconds: float
    failed: bool


def find_configs(root: Path, globs: Sequence[str] = ()) -> list[Path]:
    """The configs below ``root`` that can be tried; of these, the ones that a pattern matches.

    A pattern is matched with the path below ``root`` without its ending (``benchmarks/dkd/*``), or
    is the path of a file.

    Raises:
        UserError: A pattern matches nothing; the nearest are listed.
    """
    files = {
        _name(file, root): file
        for file in sorted({*root.rglob("*.py"), *_rows(root)})
        if not file.stem.startswith("_") and not set(_NOT_ALONE) & set(file.relative_to(root).parts)
    }
    chosen: set[str] = set()
    for glob in globs:
        given = Path(glob).resolve()
        matches = {name for name in files if fnmatch(name, glob) or files[name].resolve() == given}
        if not matches:
            raise UserError(f"No config is named {glob!r}.{did_you_mean(glob, files, every=False)}")
        chosen |= matches
    return [file for name, file in files.items() if name in chosen or not globs]


def _rows(root: Path) -> list[Path]:
    """Cells of the benchmarks that are rows of a metafile."""
    cells = read_cells(root / "benchmarks")
    return [cell.config for cell in cells if cell.settings is not None]


def try_configs(files: Sequence[Path], root: Path, jobs: int = 1) -> Iterator[Outcome]:
    """Try every config, in order; an error ends the one that it is in.

    Args:
        files: The configs.
        root: Of their names.
        jobs: How many processes share them, with one thread each. Cells of the benchmarks that
            differ in their losses alone train together.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder) / "data")
        tasks = [
            (group, root, data, Path(folder) / str(number))
            for number, group in enumerate(group_cells(files))
        ]
        if jobs == 1:
            for task in tasks:
                yield from _outcomes(task)
            return
        # Anew now and then: what a hundred networks leave in memory is a lot. The server that
        # workers are forked from imports this module once, for all of them.
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        with context.Pool(jobs, torch.set_num_threads, (1,), maxtasksperchild=20) as pool:
            for outcomes in pool.imap(_outcomes, tasks):
                yield from outcomes


def _outcomes(task: tuple[Sequence[Path], Path, Path, Path]) -> list[Outcome]:
    """Try a group; where that fails, each of its configs, which tells what failed."""
    files, root, data, work_dir = task
    if len(files) == 1:
        outcome = _outcome(_name(files[0], root), lambda: try_config(files[0], data, work_dir))
        shutil.rmtree(work_dir, ignore_errors=True)
        return [outcome]
    names = [_name(file, root) for file in files]
    together = _outcome(names[0], lambda: try_together(files, data, work_dir))
    shutil.rmtree(work_dir, ignore_errors=True)
    if together.failed:
        return [out for file in files for out in _outcomes(([file], root, data, work_dir))]
    seconds = together.seconds / len(files)
    return [Outcome(name, together.did, seconds, failed=False) for name in names]


def _outcome(name: str, attempt: Callable[[], str]) -> Outcome:
    started = time.time()
    try:
        did, failed = attempt(), False
    except Exception as error:
        did, failed = f"{type(error).__name__}: {error}", True
    gc.collect()
    return Outcome(name, did, time.time() - started, failed)


def try_config(file: Path, data: Path, work_dir: Path) -> str:
    """Train every run of a config for two steps; a network alone gives logits.

    Args:
        file: A config.
        data: From ``write_data``.
        work_dir: Where runs write.
    """
    cfg = read_config(file)
    if "train_cfg" in cfg and "model" in cfg:
        runs = one_of_each(plan(load_config(file), work_dir))
        for run in runs:
            run.cfg = tiny_config(run.cfg, data)
            run.depends_on = {last_of(key): needed for key, needed in run.depends_on.items()}
            train(run)
        return "trained" if len(runs) == 1 else f"trained {len(runs)} runs"
    networks = [value for value in cfg.to_dict().values() if isinstance(value, dict)]
    if not networks:
        raise UserError(f"{file} is neither a training nor a network.")
    prepare_process()
    for network in networks:
        forward(network)
    return "gives logits"


def try_together(files: Sequence[Path], data: Path, work_dir: Path) -> str:
    """Train cells that differ in their losses alone for two steps, with the losses of all."""
    (run,) = plan(joined_config(files), work_dir)
    run.cfg = tiny_config(run.cfg, data)
    train(run)
    return f"trained, {len(files)} cells at once"


def forward(network: Mapping[str, Any]) -> None:
    """Build a network and call it.

    Raises:
        UserError: It does not give one row of finite logits for each image.
    """
    built = MODELS.build(dict(network)).eval()
    text = str(network)
    shape = (1, 8, 8) if "Digits" in text else (3, *sides(text))
    with torch.no_grad():
        logits = built(torch.zeros(BATCH, *shape))
    if len(logits) != BATCH or not torch.isfinite(logits).all():
        raise UserError(f"The network's logits are {tuple(logits.shape)}, or not finite.")


def one_of_each(runs: Sequence[Run]) -> list[Run]:
    """One of the runs that differ only in their seed and in which run they build on."""
    kept: dict[str, Run] = {}
    stands_for: dict[tuple[str, int], Run] = {}
    for run in runs:
        alike = kept.setdefault(_kind(run), run)
        stands_for[run.name, run.seed] = alike
    for run in kept.values():
        run.depends_on = {
            reference: stands_for[dependency.name, dependency.seed]
            for reference, dependency in run.depends_on.items()
        }
    return list(kept.values())


def _kind(run: Run) -> str:
    bare = PlainConfig({**run.cfg.to_dict(), "randomness": None})
    return re.sub(rf"'{REFERENCE}[^']*'", REFERENCE, bare.pretty_text)


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root).with_suffix(""))
