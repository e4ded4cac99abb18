"""A list of runs, one after the other, with a progress bar; finished ones are not run again."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cls_kd.engine.extension import is_extended
from cls_kd.engine.loops import intervals
from cls_kd.engine.rehearse import rehearse
from cls_kd.engine.runs import Run, check_unchanged
from cls_kd.engine.train import train
from cls_kd.errors import UserError


def execute(
    runs: list[Run],
    *,
    resume: str | bool = False,
    restart: bool = False,
    launcher: str = "none",
) -> None:
    """Train every run that is not finished.

    Args:
        runs: In order; a run may build on earlier ones.
        resume: Whether an interrupted run goes on from its last checkpoint, and a finished one
            whose config now says more epochs (or iterations) is extended.
        restart: Train also what is finished, or was made with another config.
        launcher: See ``train``.

    Raises:
        UserError: A run was made with another config, and ``restart`` is not given; or one
            checkpoint is to be resumed by several runs.
    """
    console = Console(stderr=True, quiet=not is_main_process())
    open_runs = [run for run in runs if restart or _is_open(run, resume)]
    if isinstance(resume, str) and len(open_runs) > 1:
        raise UserError(
            f"--resume {resume}: {len(open_runs)} runs are not finished, and one checkpoint is of "
            "one run. --resume alone lets each go on from its own."
        )
    if len(open_runs) < len(runs):
        console.print(
            f"{len(runs) - len(open_runs)} of {len(runs)} runs are finished and unchanged: not run "
            "again (--restart runs them anew)."
        )
    if len(runs) == 1:
        for run in open_runs:
            train(run, resume=resume, launcher=launcher)
        return
    rehearse(open_runs)
    with _progress(console) as progress:
        total = sum(intervals(run.cfg.train_cfg) for run in open_runs)
        task = progress.add_task("", total=total)
        for run in open_runs:
            progress.update(task, description=run.title)
            train(
                run,
                resume=resume,
                launcher=launcher,
                after_epoch=lambda: progress.advance(task),
            )


def _is_open(run: Run, resume: str | bool) -> bool:
    """Whether a run is still to be trained, or trained for longer.

    Raises:
        UserError: See ``execute``.
    """
    if not is_extended(run):
        return not check_unchanged(run)
    if not resume:
        raise UserError(
            f"The run {run.title} in {run.work_dir} is finished, and its config is now of a longer "
            "training. --resume extends it from its last checkpoint; --restart trains it anew."
        )
    return True


def default_work_dir(config: str | Path, method: str | None, cfg: Config) -> Path:
    """``work_dirs/<config>``, with the method's name where the config is one run.

    A config in a folder of a folder of ``configs`` keeps its whole path: there the same name, that
    of a pair, stands in many folders.
    """
    path = Path(config).resolve().with_suffix("")
    above = [folder.name for folder in path.parents]
    depth = above.index("configs") if "configs" in above else 0
    place = Path("work_dirs", *path.parts[-depth - 1 :] if depth > 1 else path.parts[-1:])
    return place.with_name(f"{place.name}_{method}") if method and "runs" not in cfg else place


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )
