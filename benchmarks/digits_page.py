#!/usr/bin/env python
"""The tables of docs/digits_methods.md, from the results of digits_methods.py.

python benchmarks/digits_page.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from digits_methods import (
    CHANGES,
    FACTORS,
    PAIR,
    ROOT,
    SEARCH_SEED,
    SEEDS,
    STUDENT,
    Result,
    best_factors,
    compared_pair,
    read_results,
)

from cls_kd.files import write_atomically
from cls_kd.markdown import markdown_table
from cls_kd.reporting.statistics import Gain, adjusted_by_name, paired_gain
from cls_kd.runs.methods import known_methods

PAGE = ROOT / "docs" / "digits_methods.md"
BEGIN, END = "<!-- digits:begin -->", "<!-- digits:end -->"
KD = "kd"
_NUMBERS = ("published", "published - student", "tuned", "tuned - student", "tuned - KD")


class Scores:
    """Test accuracies by method, pair and setting.

    Args:
        results: Of all stages.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results
        self.factors = best_factors(results)
        self.failures = [result for result in results if result.accuracy is None]

    @property
    def methods(self) -> list[tuple[str, str]]:
        """Pair and method of every method that was tested, in order."""
        names = {(r.pair, r.method) for r in self._results if r.stage == "published"}
        return sorted(name for name in names if name[1] != STUDENT)

    def published(self, pair: str, method: str) -> pd.Series:
        """Accuracy by seed with the published weights."""
        return self._of(pair, method, "published", 1.0)

    def tuned(self, pair: str, method: str) -> pd.Series:
        """Accuracy by seed with the chosen factor; empty where it was not tested."""
        factor = self.factors.get(method)
        if factor is None:
            return pd.Series(dtype=float)
        stage = "published" if factor == 1.0 else "tuned"
        return self._of(pair, method, stage, factor)

    def _of(self, pair: str, method: str, stage: str, factor: float) -> pd.Series:
        return pd.Series(
            {
                r.seed: r.accuracy
                for r in self._results
                if (r.pair, r.method, r.stage, r.factor) == (pair, method, stage, factor)
                and r.accuracy is not None
            },
            dtype=float,
        )


def gains(
    scores: Scores, of_method: Callable[[str, str], pd.Series], base: Callable[[str], pd.Series]
) -> dict[tuple[str, str], Gain]:
    """Paired differences of every method to a reference, adjusted for their number."""
    differences = {
        (pair, method): paired_gain(of_method(pair, method), base(compared_pair(pair)))
        for pair, method in scores.methods
    }
    return adjusted_by_name(differences)


def tables(results: Sequence[Result]) -> str:
    """Summary and table between the markers of the page."""
    scores = Scores(results)

    def student(pair: str) -> pd.Series:
        return scores.published(pair, STUDENT)

    def tuned_kd(pair: str) -> pd.Series:
        return scores.tuned(pair, KD)

    published = gains(scores, scores.published, student)
    tuned = gains(scores, scores.tuned, student)
    against_kd = gains(scores, scores.tuned, tuned_kd)
    del against_kd[(PAIR, KD)]
    rows = []
    for pair, method in scores.methods:
        key = (pair, method)
        factor = scores.factors.get(method)
        rows.append(
            (
                f"`{method}`",
                pair.removeprefix("digits/"),
                _spread(scores.published(*key)),
                _difference(published[key]),
                "-" if factor is None else f"x{factor:g}",
                _spread(scores.tuned(*key)),
                _difference(tuned[key]),
                _difference(against_kd[key]) if key in against_kd else "-",
            )
        )
    titles = ("method", "pair", *_NUMBERS[:2], "factor", *_NUMBERS[2:])
    parts = [
        _plain_students(scores),
        _counts({"the published": published, "the chosen": tuned}, against_kd),
        markdown_table(titles, rows, _NUMBERS).rstrip("\n"),
        *_notes(scores),
    ]
    return "\n\n".join(parts)


def _plain_students(scores: Scores) -> str:
    pairs = dict.fromkeys(compared_pair(pair) for pair, _ in scores.methods)
    texts = (
        f"{_spread(scores.published(pair, STUDENT))} on `{pair}`"
        for pair in pairs
        if len(scores.published(pair, STUDENT))
    )
    return f"The student alone: {', '.join(texts)}."


def _counts(
    against_student: Mapping[str, Mapping[tuple[str, str], Gain]],
    against_kd: Mapping[tuple[str, str], Gain],
) -> str:
    texts = [
        f"With {name} weights {_count(list(values.values()))} than the student alone."
        for name, values in against_student.items()
        if _tested(values.values())
    ]
    if _tested(against_kd.values()):
        texts.append(
            f"With the chosen weights {_count(list(against_kd.values()))} than KD, whose weight "
            "was chosen in the same way."
        )
    return "\n".join(texts)


def _tested(gains: Iterable[Gain]) -> list[Gain]:
    return [gain for gain in gains if gain.pairs]


def _count(values: Sequence[Gain]) -> str:
    tested = _tested(values)
    above = sum(gain.mean > 0 for gain in tested)
    clear = [gain for gain in tested if gain.low > 0 or gain.high < 0]
    better = sum(gain.mean > 0 for gain in clear)
    verdicts = [gain.verdict for gain in tested]
    return (
        f"{above} of {len(tested)} methods have a higher mean (the interval of {better} lies above "
        f"zero, that of {len(clear) - better} below; after Holm's correction for their number "
        f"{verdicts.count('better')} are better and {verdicts.count('worse')} worse)"
    )


def _notes(scores: Scores) -> Iterable[str]:
    missing = sorted({*known_methods()} - {"ce"} - {method for _, method in scores.methods})
    if missing:
        yield f"Not trained yet: {', '.join(f'`{name}`' for name in missing)}."
    few = sorted(
        method
        for pair, method in scores.methods
        if 0 < len(scores.published(pair, method)) < len(SEEDS)
    )
    if few:
        yield f"With fewer than three seeds so far: {', '.join(f'`{name}`' for name in few)}."
    untuned = sorted(m for _, m in scores.methods if m not in scores.factors)
    if untuned:
        yield (
            "Without a factor, because there is no weight of a distillation term, or the search is "
            f"not done yet: {', '.join(f'`{name}`' for name in untuned)}."
        )
    for name, changes in CHANGES.items():
        texts = ", ".join(f"`{key}={value}`" for key, value in changes.items())
        yield f"`{name}` has {texts}: the published value is for a larger training set."
    if scores.failures:
        titles = ("method", "setting", "seed", "reason")
        rows = (
            (f"`{r.method}`", f"{r.stage}, x{r.factor:g}", str(r.seed), r.error)
            for r in scores.failures
        )
        yield "Runs that failed:\n\n" + markdown_table(titles, rows).rstrip("\n")


def _spread(values: pd.Series) -> str:
    if values.empty:
        return "-"
    deviation = f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{deviation}"


def _difference(gain: Gain) -> str:
    if not gain.pairs:
        return "-"
    if gain.low != gain.low:  # NaN
        return f"{gain.mean:+.2f}"
    return f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"


def filled(page: str, results: Sequence[Result]) -> str:
    """The page with new tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(results)}\n{END}{after}"


if __name__ == "__main__":
    write_atomically(PAGE, filled(PAGE.read_text(encoding="utf-8"), read_results()))
    print(f"Written: {PAGE} ({len(FACTORS)} factors, seeds {SEEDS}, search {SEARCH_SEED})")
