"""Result of a comparison of methods, for people and for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cls_kd.engine.choosing.rungs import Rung, cost
from cls_kd.engine.durations import duration_text
from cls_kd.engine.tuning.validation import HELD_OUT_NOTE
from cls_kd.files import write_atomically
from cls_kd.markdown import markdown_table
from cls_kd.reporting.power import MAX_SEEDS as MOST_SEEDS
from cls_kd.reporting.power import seeds_needed
from cls_kd.reporting.statistics import CONFIDENCE, Gain, adjusted_by_name, paired_gain


@dataclass(frozen=True)
class Plan:
    """The rungs of a comparison.

    Attributes:
        key: What it was made for.
        rungs: In order.
        length: Epochs (or iterations) of a whole run.
        seconds: Method to the expected time of a whole run.
        problems: Method that cannot be built, to the reason.
    """

    key: list[Any]
    rungs: list[Rung]
    length: int
    seconds: dict[str, float]
    problems: dict[str, str]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Plan:
        """A plan from its ``plan.json``."""
        rungs = [Rung(**rung) for rung in facts["rungs"]]
        return cls(**{**facts, "rungs": rungs})

    @property
    def expected_seconds(self) -> float:
        """Of all rungs, at most."""
        return cost(self.rungs, list(self.seconds.values()), self.length)


@dataclass(frozen=True)
class Candidate:
    """Last rung of a method, and its scores there.

    Attributes:
        name: Of the method; ``student`` for the student alone.
        rung: The last rung that it was in, from 1.
        scores: Its validation scores there, in order of seeds.
    """

    name: str
    rung: int
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the scores."""
        return statistics.fmean(self.scores)


@dataclass(frozen=True)
class Rival:
    """A method of the last rung against the best one.

    Attributes:
        candidate: The method.
        behind: The best one's score minus its own, paired by seed; p adjusted by Holm's method.
        further_seeds: How many more seeds would probably tell them apart; None: no estimate.
        hours: Training time of these seeds, for both methods together.
    """

    candidate: Candidate
    behind: Gain
    further_seeds: int | None
    hours: float | None

    @property
    def is_worse(self) -> bool:
        """True if it can be told from the best one."""
        return self.behind.verdict == "better"


@dataclass(frozen=True)
class Chosen:
    """The result of a comparison.

    Attributes:
        config: What was compared on.
        work_dir: Folder of the comparison.
        plan: Its rungs.
        candidates: All methods that were trained.
        problems: Method that was left out, to the reason.
        holds_out: Whether the config validates on its test split, so that a part of the training
            images was held out for the comparison.
    """

    config: str
    work_dir: Path
    plan: Plan
    candidates: list[Candidate]
    problems: dict[str, str]
    holds_out: bool

    @property
    def finalists(self) -> list[Candidate]:
        """Methods of the last rung, best first."""
        last = [item for item in self.candidates if item.rung == len(self.plan.rungs)]
        return sorted(last, key=lambda item: -item.mean)

    @property
    def rivals(self) -> list[Rival]:
        """The finalists but the best one."""
        best, *others = self.finalists
        gains = {
            item.name: paired_gain(pd.Series(best.scores), pd.Series(item.scores))
            for item in others
        }
        checked = adjusted_by_name(gains)
        return [self._rival(best, item, checked[item.name], len(others)) for item in others]

    @property
    def undecided(self) -> list[str]:
        """The best method, and those that cannot be told from it."""
        rivals = [rival.candidate.name for rival in self.rivals if not rival.is_worse]
        return [self.finalists[0].name, *rivals]

    def write(self) -> list[Path]:
        """Write ``choose.md`` and ``choose.json`` into the folder of the comparison."""
        page, data = (self.work_dir / f"choose{suffix}" for suffix in (".md", ".json"))
        write_atomically(page, self.markdown())
        facts = {
            **asdict(self),
            "undecided": self.undecided,
            "rivals": [asdict(rival) for rival in self.rivals],
        }
        write_atomically(data, json.dumps(facts, indent=1, default=str))
        return [page, data]

    def markdown(self) -> str:
        """A page: verdict, last rung, all methods, what was left out."""
        sections = [
            f"# Methods on {self.config}",
            *self.summary(),
            "## The last rung",
            self._last_rung().rstrip("\n"),
            *self._notes(),
            "## All methods",
            self._all_methods().rstrip("\n"),
        ]
        if self.problems:
            rows = sorted(self.problems.items())
            sections += ["## Left out", markdown_table(("method", "reason"), rows).rstrip("\n")]
        return "\n\n".join(sections) + "\n"

    def summary(self) -> list[str]:
        """The verdict, and what it would cost to tell more, a sentence each."""
        best, *others = self.undecided
        seeds = len(self.finalists[0].scores)
        if not others:
            return [f"{best} is the best method on the validation split, over {seeds} seeds."]
        verdict = (
            f"{best} has the highest validation score over {seeds} seeds, and cannot be told from "
            f"{', '.join(others)}."
        )
        return [verdict, *filter(None, map(self._cost_to_tell, self.rivals))]

    def _rival(self, best: Candidate, item: Candidate, behind: Gain, count: int) -> Rival:
        differences = [b - o for b, o in zip(best.scores, item.scores, strict=True)]
        deviation = statistics.stdev(differences)
        if not behind.mean or deviation < 1e-9:
            return Rival(item, behind, None, None)
        # Holm's smallest level: what is decided with it is decided whatever the others show.
        needed = seeds_needed(behind.mean, deviation, alpha=(1 - CONFIDENCE) / count)
        if needed is None:
            return Rival(item, behind, None, None)
        further = max(0, needed - behind.pairs)
        both = self.plan.seconds[best.name] + self.plan.seconds[item.name]
        return Rival(item, behind, further, further * both / 3600)

    def _cost_to_tell(self, rival: Rival) -> str:
        best, name = self.finalists[0].name, rival.candidate.name
        if rival.is_worse:
            return ""
        if rival.further_seeds is None or rival.hours is None:
            return f"To tell {best} from {name} would take more than {MOST_SEEDS} seeds."
        return (
            f"To tell {best} from {name} would take about {rival.further_seeds} more seeds of "
            f"each: {duration_text(rival.hours * 3600)} of training."
        )

    def _last_rung(self) -> str:
        best = self.finalists[0]
        rows = [(best.name, _mean(best.scores), "", "", "", "best")]
        for rival in self.rivals:
            gain = rival.behind
            rows.append(
                (
                    rival.candidate.name,
                    _mean(rival.candidate.scores),
                    f"{gain.mean:.2f} ({gain.low:.2f} to {gain.high:.2f})",
                    f"{gain.p_adjusted:.3f}",
                    "-" if rival.further_seeds is None else str(rival.further_seeds),
                    "worse" if rival.is_worse else "cannot be told from the best",
                )
            )
        titles = ("method", "validation", "behind the best", "p adjusted", "seeds to tell", "")
        return markdown_table(titles, rows)

    def _notes(self) -> list[str]:
        notes = [
            "Differences are paired by seed, with their 95 % t interval; p is adjusted for the "
            "number of methods by Holm's method. The best one was picked after the fact, and its "
            "first seed took part in the earlier rungs, so that it looks a little better than it "
            "is. The number of seeds takes the observed difference and its deviation for the true "
            "ones, at a power of 0.8. The test split was not looked at: `cls-kd sweep` measures it."
        ]
        return [*notes, HELD_OUT_NOTE] if self.holds_out else notes

    def _all_methods(self) -> str:
        ordered: Sequence[Candidate] = sorted(
            self.candidates, key=lambda item: (-item.rung, -item.mean)
        )
        rows = [
            (
                item.name,
                str(item.rung),
                str(self.plan.rungs[item.rung - 1].length),
                str(len(item.scores)),
                _mean(item.scores),
                duration_text(self.plan.seconds[item.name]),
            )
            for item in ordered
        ]
        titles = ("method", "last rung", "trained up to", "seeds", "validation", "a run")
        return markdown_table(titles, rows)


def _mean(scores: Sequence[float]) -> str:
    deviation = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
    return f"{statistics.fmean(scores):.2f}{deviation}"
