"""Rules: what is unusual in a run's measures, and what to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cls_kd.analyses.diagnosis.measures import Measures

Check = Callable[[Measures], Iterator[tuple[str, str]]]
"""Of measures, a pair of sentences for each finding: what is unusual, and what to try."""


@dataclass(frozen=True)
class Finding:
    """Something unusual.

    Attributes:
        rule: Name of the rule.
        summary: What the rule finds, in one sentence.
        figure: Which figure of the page it is about.
        text: What is unusual.
        advice: What to try.
    """

    rule: str
    summary: str
    figure: str
    text: str
    advice: str


@dataclass(frozen=True)
class Rule:
    """A rule: the figure that it is about, and its function."""

    figure: str
    check: Check

    @property
    def name(self) -> str:
        """The function's name."""
        return self.check.__name__

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.check.__doc__ or "").splitlines()[0]

    def findings(self, measures: Measures) -> list[Finding]:
        """Findings in a run's measures."""
        return [
            Finding(self.name, self.summary, self.figure, text, advice)
            for text, advice in self.check(measures)
        ]


RULES: list[Rule] = []


def rule(figure: str) -> Callable[[Check], Check]:
    """Register a function as a rule about a figure of the page."""

    def register(check: Check) -> Check:
        RULES.append(Rule(figure, check))
        return check

    return register
