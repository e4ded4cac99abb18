"""The check of a config's data before a training: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cls_kd.data.check import RARE, Member, Part, duplicates, scan
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.loaders import build_dataset, innermost
from cls_kd.errors import UserError
from cls_kd.runs.plain_config import PlainConfig

_SHOWN = 10
_KEYS = ("train", "val", "test")


def check_data(cfg: Config, console: Console | None = None) -> dict[str, Any]:
    """Read every image of a config's training, validation and test data.

    Args:
        cfg: A config; its loaders' ``num_workers`` decode. Parts that read the same data are read
            once.
        console: Where a progress bar goes. Default: nowhere.

    Returns:
        What was found, as ``--json`` writes it; ``problems`` is the list of what should stop a
        training.

    Raises:
        UserError: The config has no data, or a data set cannot be built.
    """
    prepare_process(cfg.get("default_scope", "cls_kd"))
    loaders = _loaders(cfg)
    with Progress(console=console or Console(quiet=True)) as progress:
        parts = {}
        for name, loader in loaders.items():
            dataset = innermost(build_dataset(loader["dataset"]))
            task = progress.add_task(name, total=len(dataset))
            workers = int(loader.get("num_workers", 0))
            parts[name] = scan(dataset, workers, partial(progress.advance, task))
    return summary(parts)


def summary(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Statistics, duplicates and problems of all splits, as plain values."""
    groups = duplicates(parts)
    within, between, contradicting = [], [], []
    for group in groups:
        named = [
            {"split": name, "image": parts[name].name_of(position)} for name, position in group
        ]
        owners = [name for name, _ in group]
        if len(set(owners)) > 1:
            between.append(named)
        if len(set(owners)) < len(owners):
            within.append(named)
        if len({_label(parts, member) for member in group}) > 1:
            labels = [_label(parts, member) for member in group]
            contradicting.append(
                [{**member, "label": label} for member, label in zip(named, labels, strict=True)]
            )
    facts: dict[str, Any] = {
        "splits": {name: _facts(part) for name, part in parts.items()},
        "duplicates_by": "size and decoded RGB pixels",
        "duplicates_within_a_split": within,
        "duplicates_between_splits": between,
        "same_image_with_different_labels": contradicting,
    }
    return {**facts, "problems": _problems(facts)}


def show(summary: Mapping[str, Any], console: Console) -> None:
    """Print what was found: one table of the parts, then what deserves a look."""
    table = Table(title="Data")
    columns = ("split", "images", "unreadable", "height", "width", "modes", "per class")
    for title in (*columns, "empty classes", "rare classes"):
        table.add_column(title)
    for name, facts in summary["splits"].items():
        ranges = [_range(facts[key]) for key in ("height", "width")]
        modes = ", ".join(f"{mode} {count:,}" for mode, count in facts["modes"].items())
        few = [str(len(facts[key])) for key in ("empty_classes", "rare_classes")]
        images, unreadable = f"{facts['images']:,}", f"{len(facts['unreadable']):,}"
        table.add_row(name, images, unreadable, *ranges, modes, _range(facts["per_class"]), *few)
    console.print(table)
    for name, facts in summary["splits"].items():
        for key in ("empty_classes", "rare_classes"):
            _list(console, f"{name}, {key.replace('_', ' ')}", facts[key])
        lines = [f"{item['image']}: {item['reason']}" for item in facts["unreadable"]]
        _list(console, f"{name}, unreadable", lines)
    for key in _GROUPS:
        lines = [" = ".join(_member(item) for item in group) for group in summary[key]]
        _list(console, key.replace("_", " "), lines)
    for problem in summary["problems"]:
        console.print(f"problem: {problem}", highlight=False, markup=False)


_GROUPS = (
    "duplicates_within_a_split",
    "duplicates_between_splits",
    "same_image_with_different_labels",
)


def _loaders(cfg: Config) -> dict[str, dict[str, Any]]:
    plain = PlainConfig(cfg.to_dict()).to_dict()
    named: dict[str, dict[str, Any]] = {}
    for key in _KEYS:
        loader = plain.get(f"{key}_dataloader")
        if not loader:
            continue
        same = [name for name, other in named.items() if _source(other) == _source(loader)]
        if same:
            named[f"{same[0]} = {key}"] = named.pop(same[0])
        else:
            named[key] = loader
    if not named:
        raise UserError("The config has no train_dataloader, val_dataloader or test_dataloader.")
    return named


def _source(loader: Mapping[str, Any]) -> dict[str, Any]:
    """A data set's config without what does not change its images."""
    ignored = ("pipeline", "test_mode", "lazy_init")
    return {key: value for key, value in loader["dataset"].items() if key not in ignored}


def _facts(part: Part) -> dict[str, Any]:
    counts = part.counts()
    readable = part.sizes[part.sizes[:, 0] > 0]
    filled = counts[counts > 0]
    few = RARE * float(np.median(filled)) if len(filled) else 0.0
    names = list(part.classes) + [str(label) for label in range(len(part.classes), len(counts))]
    per_class = dict(zip(names, counts.tolist(), strict=True))
    return {
        "images": len(part.labels),
        "unreadable": [
            {"image": part.name_of(position), "reason": reason}
            for position, reason in part.unreadable.items()
        ],
        "height": _statistics(readable[:, 0]),
        "width": _statistics(readable[:, 1]),
        "modes": dict(part.modes),
        "per_class": _statistics(counts),
        "images_of_class": per_class,
        "empty_classes": [name for name, count in per_class.items() if count == 0],
        "rare_classes": [name for name, count in per_class.items() if 0 < count < few],
    }


def _statistics(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {"min": 0, "median": 0, "max": 0}
    return {
        "min": int(values.min()),
        "median": float(np.median(values)),
        "max": int(values.max()),
    }


def _problems(summary: Mapping[str, Any]) -> list[str]:
    """Faults that make a training fail or its metrics wrong; duplicates within a split do not."""
    problems = [
        f"{len(facts['unreadable']):,} images of {name} cannot be read"
        for name, facts in summary["splits"].items()
        if facts["unreadable"]
    ]
    shared = summary["duplicates_between_splits"]
    if shared:
        problems.append(f"{len(shared):,} images are in several splits")
    contradicting = summary["same_image_with_different_labels"]
    if contradicting:
        problems.append(f"{len(contradicting):,} images have several labels")
    return problems


def _label(parts: Mapping[str, Part], member: Member) -> str:
    name, position = member
    label = int(parts[name].labels[position])
    classes = parts[name].classes
    return classes[label] if 0 <= label < len(classes) else str(label)


def _member(member: Mapping[str, Any]) -> str:
    label = f" ({member['label']})" if "label" in member else ""
    return f"{member['split']}: {member['image']}{label}"


def _range(values: Mapping[str, float]) -> str:
    return f"{values['min']} / {values['median']:g} / {values['max']}"


def _list(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title}: {len(lines):,}", highlight=False, markup=False)
    for line in lines[:_SHOWN]:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  and {len(lines) - _SHOWN:,} more; --json FILE lists all", markup=False)


def writable(path: str | None) -> Path | None:
    """The file that ``--json`` names.

    Raises:
        UserError: Its folder does not exist; said before hours of reading.
    """
    if path is not None and not Path(path).parent.is_dir():
        raise UserError(f"--json {path}: there is no folder {Path(path).parent}.")
    return None if path is None else Path(path)
