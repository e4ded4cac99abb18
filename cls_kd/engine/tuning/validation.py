"""Runs that are compared on validation data and never measure the test split."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from cls_kd.data import held_out_split
from cls_kd.errors import UserError
from cls_kd.reporting.metrics import DEFAULT, metric_of
from cls_kd.runs import Run
from cls_kd.runs.plain_config import PlainConfig

_TEST = ("test_dataloader", "test_cfg", "test_evaluator")
_NOT_THE_IMAGES = ("pipeline", "test_mode", "indices", "lazy_init")
_MOMENTS = ("epoch", "iter")
_HOLD_OUT = f"{held_out_split.__module__}.{held_out_split.__name__}"

HELD_OUT_NOTE = (
    "The config validates on its test split. While settings or methods are compared, a tenth of "
    "the training images of each class is held out of training and validated on instead."
)


def has_test(run: Run) -> bool:
    """True if the run measures a test split at its end."""
    return bool(run.cfg.get("test_dataloader"))


def validates_on_test(run: Run) -> bool:
    """True if the validation images are those of the test split.

    Two parts of one split (``indices``) count as the same.

    Raises:
        UserError: There are no validation data.
    """
    if not run.cfg.get("val_dataloader"):
        raise UserError("The config has no val_dataloader: there is nothing to compare runs by.")
    return has_test(run) and _images(run.cfg.val_dataloader) == _images(run.cfg.test_dataloader)


def without_test(run: Run) -> Run:
    """A copy of the run that measures no test split."""
    changed = copy.deepcopy(run)
    changed.cfg.update({key: None for key in _TEST if key in changed.cfg})
    changed.depends_on = run.depends_on
    return changed


def for_selection(run: Run) -> Run:
    """A copy of the run that measures no test split, and validates on other images than those.

    Where the validation split is the test split, the copy is trained on nine of ten training images
    and validated on the others.

    Raises:
        UserError: There are no validation data.
    """
    return _held_out(without_test(run)) if validates_on_test(run) else without_test(run)


def chosen_metric(metrics: Mapping[str, float]) -> str:
    """The metric by which runs are compared: top-1 accuracy, else the first percentage.

    Raises:
        UserError: There is none, so that the better direction is not known.
    """
    known = [key for key in metrics if metric_of(key).percent]
    if not known:
        raise UserError(
            f"The validation gives {', '.join(metrics) or 'no metric'}: no accuracy to compare by."
        )
    return DEFAULT if DEFAULT in known else known[0]


def score(metrics: Mapping[str, float]) -> float:
    """The value of the chosen metric."""
    return float(metrics[chosen_metric(metrics)])


def last_score(result: Mapping[str, Any]) -> float:
    """The score of the last validation in a ``result.json``."""
    return score(metrics_of(result["val"][-1]))


def metrics_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of an entry of ``val`` in a ``result.json``."""
    return {key: value for key, value in entry.items() if key not in _MOMENTS}


def moment_of(entry: Mapping[str, Any]) -> int:
    """The finished epochs (or iterations) of an entry of ``val`` in a ``result.json``."""
    return int(next(entry[key] for key in _MOMENTS if key in entry))


def _held_out(run: Run) -> Run:
    """The run, changed in place: trained without the held-out images, and validated on them."""
    values = run.cfg.to_dict()
    training = _innermost(values["train_dataloader"]["dataset"])
    pipeline = _innermost(values["val_dataloader"]["dataset"]).get("pipeline", ())
    validation = {**copy.deepcopy(training), "pipeline": pipeline, "test_mode": True}
    values["val_dataloader"]["dataset"] = _part(validation, "held_out")
    rest = _part(dict(training), "rest")
    training.clear()
    training.update(rest)
    run.cfg = PlainConfig(values)
    return run


def _part(dataset: dict[str, Any], part: str) -> dict[str, Any]:
    return {"type": _HOLD_OUT, "dataset": dataset, "part": part}


def _innermost(dataset: dict[str, Any]) -> dict[str, Any]:
    """The config of the data set inside wrappers."""
    while isinstance(dataset.get("dataset"), Mapping):
        dataset = dataset["dataset"]
    return dataset


def _images(loader: Mapping[str, Any]) -> dict[str, Any]:
    """Options that decide which images the innermost data set of a loader holds."""
    dataset = _innermost(dict(loader["dataset"]))
    return {key: value for key, value in dataset.items() if key not in _NOT_THE_IMAGES}
