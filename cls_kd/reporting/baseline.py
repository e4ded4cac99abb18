"""The baseline: the run that the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from cls_kd.errors import UserError, did_you_mean

LABELS_ALONE = "ce"
"""``method`` of a run whose only loss is the one of the labels, under its usual name."""


class Comparison(NamedTuple):
    """The baseline and the references of a report.

    Attributes:
        baseline: The run that the others are compared with; None for no comparison.
        references: Runs that are listed and not compared.
        reason: The reason for a default baseline; empty where it was given.
    """

    baseline: str | None
    references: tuple[str, ...]
    reason: str = ""


def comparison(
    runs: pd.DataFrame, baseline: str | None = None, references: Sequence[str] = ()
) -> Comparison:
    """Choose the baseline: the given one, or the only certain candidate.

    A baseline is certain where exactly one run has no teacher and the labels' loss alone, under
    the name ``ce``, and its seeds, epochs and number of parameters are those of every run with
    another method. Runs of that kind with another number of parameters are references then:
    usually the teacher. (Ours.)

    Args:
        runs: From `collect`.
        baseline: The run that the others are compared with. Default: the one that is certain.
        references: Runs with another network or other data (the teacher): listed, not compared.

    Raises:
        UserError: There is no such run, or the baseline is a reference as well.
    """
    names = set(runs["run"])
    for name in (baseline, *references):
        if name is not None and name not in names:
            raise UserError(f"No finished run {name!r} to report on.{did_you_mean(name, names)}")
    if baseline in references:
        raise UserError(f"{baseline!r} is the baseline, and cannot be a reference as well.")
    if baseline is not None or len(names) == 1:
        return Comparison(baseline, tuple(references))
    return _certain(runs[~runs["run"].isin(references)], tuple(references))


def _certain(runs: pd.DataFrame, references: tuple[str, ...]) -> Comparison:
    alone = (runs["method"] == LABELS_ALONE) & ~runs["taught"]
    methods = {_setting(group) for _, group in runs[~alone].groupby("run")}
    plain = {name: _setting(group) for name, group in runs[alone].groupby("run")}
    candidates = [name for name, setting in plain.items() if {setting} == methods]
    if len(candidates) != 1:
        return Comparison(
            None,
            references,
            "No baseline, and so no gains: it is not certain which run the others are to be "
            "compared with. Say it with cls-kd report --baseline NAME, or with "
            "report=dict(baseline=NAME) in the config.",
        )
    (baseline,) = candidates
    size = plain[baseline].parameters
    others = tuple(name for name, setting in plain.items() if setting.parameters != size)
    return Comparison(
        baseline,
        references + others,
        f"The baseline is {baseline}: the only run without a teacher and with the labels' loss "
        "alone that has the seeds, epochs and parameters of the others. --baseline NAME of "
        "cls-kd report chooses another.",
    )


class _Setting(NamedTuple):
    parameters: float
    epochs: float
    seeds: tuple[int, ...]


def _setting(group: pd.DataFrame) -> _Setting:
    first = group.iloc[0]
    return _Setting(first["parameters"], first["epochs"], tuple(sorted(group["seed"])))
