"""Result and cost of a search, for people and for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cls_kd.engine.durations import duration_text
from cls_kd.engine.tuning.tuning import Request
from cls_kd.engine.tuning.validation import HELD_OUT_NOTE
from cls_kd.files import write_atomically
from cls_kd.markdown import markdown_table
from cls_kd.reporting.statistics import Gain, paired_gain


@dataclass(frozen=True)
class Trial:
    """A setting that was tried.

    Attributes:
        number: In the order of the beginnings.
        setting: Its values by name: ``{'kd.temperature': 4.0}``.
        is_default: Whether it is the config's own.
        state: ``complete``, ``pruned`` (given up), ``fail`` or ``running`` (cut off).
        value: Mean validation score over the seeds; None if it was not completed.
        values: Validation score of each seed that was trained.
        seconds: Time from its beginning to its end.
        reason: Why it was not completed.
    """

    number: int
    setting: dict[str, Any]
    is_default: bool
    state: str
    value: float | None
    values: list[float]
    seconds: float
    reason: str


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Attributes:
        request: What was searched.
        spaces: Setting to its range.
        trials: All that were begun and not cut off.
        default: The trial of the config's own setting.
        best: The trial with the highest validation score.
        tests: ``default`` and ``best`` to test score by seed; empty where both are the same.
        has_test: Whether the scores are of a test split, not of the validation split.
        holds_out: Whether the config validates on its test split, so that a part of the training
            images was held out for the search.
        needed_seconds: Time of the runs that others build on: the teacher.
        test_seconds: Time of the test runs.
    """

    request: Request
    spaces: dict[str, str]
    trials: list[Trial]
    default: Trial
    best: Trial
    tests: Mapping[str, Mapping[int, float]]
    has_test: bool
    holds_out: bool
    needed_seconds: float
    test_seconds: float

    @property
    def search_seconds(self) -> float:
        """Time of all trials, added up over workers."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def validation_gain(self) -> Gain:
        """Best against default on the validation split, over the seeds of the search."""
        best, default = (pd.Series(trial.values) for trial in (self.best, self.default))
        return paired_gain(best, default)

    @property
    def test_gain(self) -> Gain | None:
        """Best against default with the new seeds; None where both are the same."""
        if not self.tests:
            return None
        best, default = (pd.Series(dict(self.tests[name])) for name in ("best", "default"))
        return paired_gain(best, default)

    def write(self) -> list[Path]:
        """Write ``tune.md`` and ``tune.json`` into the folder of the search."""
        page, data = (self.request.work_dir / f"tune{suffix}" for suffix in (".md", ".json"))
        write_atomically(page, self.markdown())
        write_atomically(data, json.dumps(self._facts(), indent=1, default=str))
        return [page, data]

    def markdown(self) -> str:
        """A page: verdict, settings, scores, cost, and every trial."""
        sections = (
            [f"# Settings of {self.request.method} on {self.request.config}"],
            self.summary(),
            ["## Settings", self._settings_table().rstrip("\n")],
            ["## Scores", self._scores_table().rstrip("\n"), *self._notes()],
            ["## Trials", self._trials_table().rstrip("\n")],
        )
        return "\n\n".join(line for section in sections for line in section) + "\n"

    def summary(self) -> list[str]:
        """The verdict and the cost, a sentence each."""
        return [self._verdict(), self._cost()]

    def _verdict(self) -> str:
        gain = self.test_gain
        if gain is None:
            return (
                "No setting has a higher validation score than the config's own, so that there was "
                "nothing to test."
            )
        split = "test" if self.has_test else "validation"
        return (
            f"The best of {len(self.trials)} settings gains {self.validation_gain.mean:+.2f} "
            f"percentage points over the config's own on the validation split, which chose it, and "
            f"{gain.mean:+.2f} ({_interval(gain)}, {gain.verdict}) on the {split} split with "
            f"{gain.pairs} new seeds."
        )

    def _cost(self) -> str:
        states = [trial.state for trial in self.trials]
        runs = sum(max(1, len(trial.values)) for trial in self.trials)
        tests = sum(len(scores) for scores in self.tests.values())
        return (
            f"Cost: {duration_text(self.search_seconds)} for {len(self.trials)} trials "
            f"({runs} runs, {states.count('pruned')} given up early, "
            f"{states.count('fail')} failed), "
            f"{duration_text(self.needed_seconds)} for what they build on, and "
            f"{duration_text(self.test_seconds)} for {tests} test runs."
        )

    def _settings_table(self) -> str:
        rows = [
            (
                f"`{name}`",
                space,
                *(_shown(trial.setting[name]) for trial in (self.default, self.best)),
            )
            for name, space in self.spaces.items()
        ]
        return markdown_table(("setting", "searched", "default", "best"), rows)

    def _scores_table(self) -> str:
        rows = list(self._score_rows())
        return markdown_table(("split", "seeds", "default", "best", "difference"), rows)

    def _score_rows(self) -> Iterator[tuple[str, ...]]:
        scores = {"default": self.default.values, "best": self.best.values}
        seeds = ", ".join(map(str, self.request.seeds))
        yield ("validation", seeds, *_means(scores), _difference(self.validation_gain))
        if self.test_gain is not None:
            scores = {name: [*values.values()] for name, values in self.tests.items()}
            seeds = ", ".join(map(str, self.request.test_seeds))
            split = "test" if self.has_test else "validation, new seeds"
            yield (split, seeds, *_means(scores), _difference(self.test_gain))

    def _notes(self) -> list[str]:
        notes = [
            "Means and standard deviations over seeds; differences are paired by seed, with their "
            "95 % t interval. The validation score has chosen the setting, so that its difference "
            "is too favorable: the highest of several is partly chance."
        ]
        if self.tests:
            notes.append("The last row decides: no trial has seen its seeds.")
        if self.holds_out:
            notes.append(HELD_OUT_NOTE + " The test runs are trained on all training images.")
        if self.tests and not self.has_test:
            notes.append(
                "The config has no test split: the last row is of the images that the search saw."
            )
        return notes

    def _trials_table(self) -> str:
        rows = [
            (
                str(trial.number),
                *(_shown(trial.setting[name]) for name in self.spaces),
                "-" if trial.value is None else f"{trial.value:.2f}",
                f"{trial.seconds:.1f}",
                trial.reason or ("default" if trial.is_default else ""),
            )
            for trial in self.trials
        ]
        titles = ("trial", *(f"`{name}`" for name in self.spaces), "validation", "seconds", "")
        return markdown_table(titles, rows)

    def _facts(self) -> dict[str, Any]:
        gain = self.test_gain
        return {
            **asdict(self),
            "validation_gain": asdict(self.validation_gain),
            "test_gain": None if gain is None else asdict(gain),
            "search_seconds": self.search_seconds,
        }


def _means(scores: Mapping[str, Sequence[float]]) -> tuple[str, str]:
    default, best = (
        f"{statistics.fmean(scores[name]):.2f}"
        + (f" ± {statistics.stdev(scores[name]):.2f}" if len(scores[name]) > 1 else "")
        for name in ("default", "best")
    )
    return default, best


def _difference(gain: Gain) -> str:
    return f"{gain.mean:+.2f} ({_interval(gain)})"


def _interval(gain: Gain) -> str:
    if gain.low != gain.low:  # NaN
        return "no interval"
    return f"{gain.low:+.2f} to {gain.high:+.2f}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
