"""Groups of runs that train on the same batches with the same teachers: cohorts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.run import Run, map_strings

MAX_MEMBERS = 8
"""Default number of runs that are trained together at most. Ours: with more, little is saved."""

_HOOKS = ("EMAHook", "EarlyStoppingHook")
"""Hooks of a config that members may have or not: they leave the data alone."""


@dataclass(frozen=True)
class Grouping:
    """Runs that are trained together, and runs that are not.

    Attributes:
        groups: Every run once, in an order in which they can be trained: what a run builds on is in
            an earlier group. A run alone is a group too.
        reasons: Folder of each run alone to the reason, as the end of a sentence about the run.
    """

    groups: list[list[Run]]
    reasons: dict[Path, str] = field(default_factory=dict)


def last_step(run: Run) -> int:
    """The epoch or iteration of a run's last checkpoint, by its name; 0 where there is none."""
    pointer = run.work_dir / "last_checkpoint"
    name = Path(pointer.read_text().strip()).stem if pointer.is_file() else ""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else 0


def group(
    runs: Sequence[Run],
    *,
    resume: bool = False,
    max_members: int = MAX_MEMBERS,
    step_of: Callable[[Run], int] = last_step,
) -> Grouping:
    """Group runs that can share their batches and teachers.

    Members agree in the seed, the training data, the preprocessing, the length, the precision, the
    environment, the compilation and, with ``resume``, in the last checkpoint; and in the teachers,
    where they have any.

    Args:
        runs: In order.
        resume: Whether runs go on from their last checkpoints.
        max_members: Maximum number of runs in a group.
        step_of: A run to a number that tells its last checkpoint from those of other steps.
    """
    if max_members == 1:
        return Grouping(_in_order([[run] for run in runs]))
    keys = {run.work_dir: _key(run, step_of(run) if resume else 0) for run in runs}
    reasons = {run.work_dir: problem for run in runs if (problem := _problem(run))}
    candidates: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        exclusive = (str(run.work_dir),) if run.work_dir in reasons else ()
        candidates.setdefault((*keys[run.work_dir].values(), *exclusive), []).append(run)
    positions = {run.work_dir: position for position, run in enumerate(runs)}
    groups = [
        members
        for same in candidates.values()
        for of_teacher in _by_teacher(same)
        for members in _chunks(of_teacher, max_members)
    ]
    groups = _in_order(sorted(groups, key=lambda members: positions[members[0].work_dir]))
    for members in groups:
        if len(members) == 1 and members[0].work_dir not in reasons:
            reasons[members[0].work_dir] = _reason(members[0], runs, keys)
    return Grouping(groups, reasons)


def teachers(run: Run) -> list[str]:
    """The config of each teacher of a run as text; a teacher that is another run by its folder."""
    configs = run.cfg.get("model", {}).get("teacher") or []
    configs = [configs] if isinstance(configs, Mapping) else list(configs)
    return [_text(_resolved(config, run)) for config in configs]


def _resolved(value: Any, run: Run) -> Any:
    folders = {
        reference: f"{needed.work_dir} {reference.partition('@')[2]}"
        for reference, needed in run.depends_on.items()
    }
    return map_strings(_plain(value), lambda text: folders.get(text, text))


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value


def _text(value: Any) -> str:
    return PlainConfig({"value": _plain(value)}).pretty_text


def _preprocessing(cfg: Config) -> Any:
    model = cfg.get("model", {})
    return [model.get("data_preprocessor") or cfg.get("data_preprocessor"), model.get("classes")]


def _length(cfg: Config) -> Any:
    return {key: value for key, value in cfg.train_cfg.items() if not key.startswith("val_")}


def _precision(cfg: Config) -> Any:
    wrapper = cfg.get("optim_wrapper", {})
    kind = wrapper.get("type", "")
    return ["Amp" in getattr(kind, "__name__", str(kind)), str(wrapper.get("dtype"))]


def _environment(cfg: Config) -> Any:
    keys = ("env_cfg", "cpu_threads", "default_scope", "custom_imports", "model_wrapper_cfg")
    return {key: cfg.get(key) for key in keys}


def _hooks(cfg: Config) -> Any:
    """Hooks that might change what the runs share."""
    named = (cfg.get("default_hooks") or {}).values()
    hooks = [*(hook for hook in named if hook), *(cfg.get("custom_hooks") or [])]
    kinds = [hook.get("type") if isinstance(hook, Mapping) else hook for hook in hooks]
    return [
        hook
        for hook, kind in zip(hooks, kinds, strict=True)
        if kind is not None and not str(getattr(kind, "__name__", kind)).endswith(_HOOKS)
    ]


_PARTS: dict[str, Callable[[Config], Any]] = {
    "seed": lambda cfg: cfg.get("randomness"),
    "training data": lambda cfg: cfg.get("train_dataloader"),
    "preprocessing": _preprocessing,
    "length of training": _length,
    "precision": _precision,
    "environment": _environment,
    "compilation": lambda cfg: [
        cfg.get(key) for key in ("compile", "cuda_graph", "efficient_conv_bn_eval")
    ],
    "hooks": _hooks,
}
"""Name of each part of a config that members agree in."""

_PROGRESS = "last checkpoint"


def _key(run: Run, step: int) -> dict[str, str]:
    parts = {name: _text(part(run.cfg)) for name, part in _PARTS.items()}
    return {**parts, _PROGRESS: str(step)}


def _problem(run: Run) -> str:
    """Reason why a run cannot be trained with any other; empty if it can."""
    configs = run.cfg.get("model", {}).get("teacher") or []
    for config in [configs] if isinstance(configs, Mapping) else configs:
        if isinstance(config, Mapping) and config.get("train_mode"):
            return "its teacher runs in training mode (train_mode=True), and changes in each step"
    return ""


def _by_teacher(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs of the same teachers; those without one join the largest group."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(teachers(run)), []).append(run)
    without = groups.pop((), [])
    if not groups:
        yield without
        return
    largest = max(groups, key=lambda texts: len(groups[texts]))
    joined = {run.work_dir for run in [*groups[largest], *without]}
    groups[largest] = [run for run in runs if run.work_dir in joined]
    yield from groups.values()


def _chunks(runs: list[Run], most: int) -> Iterator[list[Run]]:
    """Groups of at most ``most`` runs, as equal in size as possible."""
    count = -(-len(runs) // most)
    for part in range(count):
        yield runs[part * len(runs) // count : (part + 1) * len(runs) // count]


def _in_order(groups: list[list[Run]]) -> list[list[Run]]:
    """The groups so that each comes after what it builds on; one that cannot wait is divided."""
    waiting = [list(members) for members in groups]
    ordered: list[list[Run]] = []
    while waiting:
        opened = {run.work_dir for members in waiting for run in members}
        ready = [[run for run in members if not _needs(run) & opened] for members in waiting]
        whole = [index for index, runs in enumerate(ready) if len(runs) == len(waiting[index])]
        chosen = whole[0] if whole else next(index for index, runs in enumerate(ready) if runs)
        ordered.append(ready[chosen])
        rest = [run for run in waiting[chosen] if run not in ready[chosen]]
        waiting[chosen : chosen + 1] = [rest] if rest else []
    return ordered


def _needs(run: Run) -> set[Path]:
    return {needed.work_dir for needed in run.depends_on.values()}


def _reason(run: Run, runs: Sequence[Run], keys: Mapping[Path, Mapping[str, str]]) -> str:
    """Parts in which a run differs from the most similar other one."""
    others = [other for other in runs if other.work_dir != run.work_dir]
    if not others:
        return "there is no other run to be trained"
    differences = {other.work_dir: _different(run, other, keys) for other in others}
    nearest = min(others, key=lambda other: len(differences[other.work_dir]))
    parts = differences[nearest.work_dir]
    if not parts:
        return f"{nearest.title} builds on it, or the other way round"
    return f"it differs from {nearest.title} in its {_listed(parts)}"


def describe(grouping: Grouping) -> list[str]:
    """One line for the runs that are trained together and for each that is not, with the reason.

    Runs that differ in their seed only share a line.
    """
    lines: dict[tuple[str, str], list[int]] = {}
    for members in grouping.groups:
        names = ", ".join(run.name or run.title for run in members)
        reason = grouping.reasons[members[0].work_dir] if len(members) == 1 else ""
        # Seeds of one run differ in their seeds alone, and that is in the line.
        start = reason.partition(" in its ")[0] if reason.startswith("it differs") else reason
        lines.setdefault((names, start and reason), []).append(members[0].seed)
    return [
        f"{names} (seed{'s' * (len(seeds) > 1)} {_numbers(seeds)}): "
        + (f"alone, since {reason}." if reason else "together.")
        for (names, reason), seeds in lines.items()
    ]


def _numbers(numbers: Sequence[int]) -> str:
    """``0, 1, 5``, or the first and the last of a row."""
    row = list(range(numbers[0], numbers[0] + len(numbers)))
    if len(numbers) > 2 and list(numbers) == row:
        return f"{row[0]} to {row[-1]}"
    return ", ".join(map(str, numbers))


def _different(run: Run, other: Run, keys: Mapping[Path, Mapping[str, str]]) -> list[str]:
    first, second = keys[run.work_dir], keys[other.work_dir]
    parts = [name for name in first if first[name] != second[name]]
    teachers_of_run, teachers_of_other = teachers(run), teachers(other)
    differ = teachers_of_run and teachers_of_other and teachers_of_run != teachers_of_other
    return [*parts, "teacher"] if differ else parts


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
