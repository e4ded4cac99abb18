#!/usr/bin/env python
"""Every method on the digits: with its published weights, and with weights scaled by a factor.

python benchmarks/digits_methods.py                          all methods: half an hour of one core
python benchmarks/digits_methods.py --methods kd nkd         only these; the others stay as they are
python benchmarks/digits_methods.py --collect                only write the results of finished runs

A pair of `configs/digits` is chosen by what a method needs: several teachers, branches, tokens. The
factor of its distillation weights is the one of `FACTORS` with the highest accuracy on the
validation split, with a seed that no test has; only the published and the chosen setting are
tested, with three seeds. Finished runs are not trained again: the same command goes on where it was
stopped, and trains a new method alone. `digits_page.py` writes the page about the results.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.engine import load_config
from cls_kd.engine.events import RunEvent, RunFailed, RunFinished
from cls_kd.engine.serial_executor import SerialExecutor
from cls_kd.engine.tuning.space import options_of
from cls_kd.engine.tuning.validation import for_selection, last_score, score
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs import Run, check_unchanged, read_config
from cls_kd.runs.cohorts import MAX_MEMBERS
from cls_kd.runs.config_names import CONFIGS
from cls_kd.runs.methods import known_methods
from cls_kd.runs.sweep import STUDENT, Sweep, plan_sweep

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "digits_methods.csv"

PAIR = "digits/pair"
SEEDS = (0, 1, 2)
SEARCH_SEED = 100
FACTORS = (0.01, 0.1, 1.0, 10.0)
SHORT: Mapping[str, Any] = {
    "train_cfg.max_epochs": 10,
    "param_scheduler.0.T_max": 10,
    "train_cfg.val_interval": 10,
    "train_dataloader.dataset.times": 5,
}
"""A quarter of the steps of the pairs' configs: 10 epochs of 10 steps."""

LONGER: Mapping[str, Any] = {
    "train_cfg.val_interval": 20,
    "train_dataloader.dataset.times": 5,
}
"""Half of the steps, for vision transformers, which learn more slowly: 20 epochs of 10 steps."""

CHANGES: Mapping[str, Mapping[str, Any]] = {
    # 16,384 of 50,000 images in the paper; the students here see 100 images.
    method: {"model.losses.crd.negatives": 64}
    for method in ("crd", "crd_kd", "wttm_crd")
}
"""Settings that only make sense for data of another size."""

PAIRS_BY_SIGNAL: Sequence[tuple[str, str]] = (
    ("student_class_token_logits", "digits/distillation_token"),
    ("student_projected", "digits/simkd"),
    ("student_expanded_feature", "digits/norm"),
    ("all_teacher_", "digits/teachers"),
    ("peer_", "digits/branches"),
    ("ensemble_", "digits/branches"),
)
TOKENS = ("_tokens", "_blocks")
TRANSFORMERS = ("digits/transformer", "digits/transformer_of_cnn", "digits/distillation_token")
PAIRS_BY_METHOD = {"dot": "digits/dot", "gkd_dot": "digits/dot"}
"""Methods whose optimizer needs a learning rate of its own."""


@dataclass(frozen=True)
class Result:
    """One run.

    Attributes:
        method: File in ``configs/methods``, or `STUDENT`.
        pair: Config of the pair.
        stage: ``published``, ``search`` (validation split) or ``tuned``.
        factor: Of the distillation weights.
        seed: Of the run.
        accuracy: Top-1, percent; None if the run failed.
        error: Reason of the failure.
    """

    method: str
    pair: str
    stage: str
    factor: float
    seed: int
    accuracy: float | None
    error: str = ""


@dataclass(frozen=True)
class Planned:
    """A run to be trained, and the facts of its result that it does not know itself."""

    run: Run
    method: str
    pair: str
    stage: str
    factor: float

    def result(self, errors: Mapping[Path, str]) -> Result | None:
        """The result on disk, or the failure; None if the run was not trained."""
        facts = (self.method, self.pair, self.stage, self.factor, self.run.seed)
        if check_unchanged(self.run):
            values = self.run.result() or {}
            accuracy = last_score(values) if self.stage == "search" else score(values["test"])
            return Result(*facts, round(accuracy, 4))
        error = errors.get(self.run.work_dir)
        return None if error is None else Result(*facts, None, error.splitlines()[0])


def pair_of(method: str) -> str:
    """The pair that a method can be trained on."""
    if method in PAIRS_BY_METHOD:
        return PAIRS_BY_METHOD[method]
    losses = read_config(known_methods()[method]).losses
    terms = build_terms(losses, build_loss).values()
    signals = {signal for term in terms for signal in term.loss.signals}
    for start, pair in PAIRS_BY_SIGNAL:
        if any(signal.startswith(start) for signal in signals):
            return pair
    if any(signal.endswith(TOKENS) for signal in signals):
        return "digits/transformer" + ("_of_cnn" if "teacher_feature" in signals else "")
    return PAIR


def scaled(method: str, pair: str, factor: float) -> dict[str, Any] | None:
    """Changes of a config that multiply a method's distillation weights; None if it has none."""
    losses = _losses(method, pair)
    changes: dict[str, Any] = {}
    for name, loss in losses.items():
        weight = loss.get("weight")
        if isinstance(weight, Mapping):
            changes[f"model.losses.{name}.weight.value"] = factor * weight.get("value", 1.0)
    try:
        options = options_of(losses)
    except UserError:
        return changes or None
    weights = [option for option in options if option.name.count(".") == 1]
    weights = [option for option in weights if option.name.endswith(".weight")]
    return {**changes, **{option.key: factor * option.default for option in weights}} or None


@cache
def _losses(method: str, pair: str) -> dict[str, Any]:
    return load_config(CONFIGS / f"{pair}.py", method=method).model.losses.to_dict()


def planned(
    methods: Mapping[str, Mapping[str, Any]],
    pair: str,
    stage: str,
    factor: float,
    work_dir: Path,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[Planned]:
    """The runs of some methods on one pair, and before them the teachers that they need."""
    changes = {name: {**CHANGES.get(name, {}), **options} for name, options in methods.items()}
    ((folder, runs),) = plan_sweep(
        Sweep((pair,), changes, tuple(seeds), _length(pair)), work_dir, load_config
    ).items()
    for run in runs:
        run.cfg.console_log_level = "ERROR"
        compared = run.name == STUDENT and stage == "published" and pair == compared_pair(pair)
        if run.name in methods or compared:
            placed = for_selection(run) if stage == "search" else run
            placed.work_dir = work_dir / folder / f"{stage}_{factor:g}" / run.name / str(run.seed)
            yield Planned(placed, run.name, pair, stage, factor)
        elif run.name != STUDENT:
            yield Planned(run, run.name, pair, "teacher", 1.0)


def compared_pair(pair: str) -> str:
    """The pair whose plain student and KD are compared with: same student, images and steps."""
    return pair if pair in TRANSFORMERS else PAIR


def _length(pair: str) -> Mapping[str, Any]:
    return LONGER if pair in TRANSFORMERS else SHORT


def by_pair(methods: Iterable[str]) -> dict[str, list[str]]:
    """Pair to the methods that it is for; the pair that most are for comes first."""
    pairs: dict[str, list[str]] = {PAIR: []}
    for method in methods:
        pairs.setdefault(pair_of(method), []).append(method)
    return pairs


def published(pairs: Mapping[str, Sequence[str]], work_dir: Path) -> list[Planned]:
    """Every method as published, and every pair's student alone."""
    return [
        run
        for pair, methods in pairs.items()
        for run in planned({name: {} for name in methods}, pair, "published", 1.0, work_dir)
    ]


def searched(pairs: Mapping[str, Sequence[str]], work_dir: Path) -> list[Planned]:
    """Every method that has a weight, with every factor, on the validation split."""
    return [
        run
        for pair, methods in pairs.items()
        for factor in FACTORS
        for run in planned(
            _scaled_all(dict.fromkeys(methods, factor), pair),
            pair,
            "search",
            factor,
            work_dir,
            [SEARCH_SEED],
        )
    ]


def tuned(
    pairs: Mapping[str, Sequence[str]], factors: Mapping[str, float], work_dir: Path
) -> list[Planned]:
    """Every method with its best factor, where that is not the published weight."""
    return [
        run
        for pair, methods in pairs.items()
        for factor in FACTORS
        for run in planned(
            _scaled_all({m: factor for m in methods if factors.get(m) == factor != 1.0}, pair),
            pair,
            "tuned",
            factor,
            work_dir,
        )
    ]


def _scaled_all(factors: Mapping[str, float], pair: str) -> dict[str, Mapping[str, Any]]:
    changes = {method: scaled(method, pair, factor) for method, factor in factors.items()}
    return {method: options for method, options in changes.items() if options is not None}


def best_factors(results: Iterable[Result]) -> dict[str, float]:
    """Method to the factor of the highest validation accuracy; the nearest to 1 among equals."""
    scores: dict[str, dict[float, float]] = {}
    for result in results:
        if result.stage == "search" and result.accuracy is not None:
            scores.setdefault(result.method, {})[result.factor] = result.accuracy
    preference = {1.0: 0, 0.1: 1, 10.0: 2, 0.01: 3}
    return {
        method: max(of_method, key=lambda factor: (of_method[factor], -preference[factor]))
        for method, of_method in scores.items()
    }


class Progress:
    """Prints a line for each run, and keeps the reasons of failures.

    Attributes:
        errors: Folder of a run to the reason of its failure.
    """

    def __init__(self, count: int) -> None:
        self._count, self._done = count, 0
        self.errors: dict[Path, str] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take note of an event."""
        if isinstance(event, RunFailed):
            self.errors[event.work_dir] = event.error
            print(f"failed: {event.work_dir}: {event.error}", flush=True)
        elif isinstance(event, RunFinished):
            self._done += 1
            seconds = event.result["wall_seconds"]
            print(f"{self._done}/{self._count} {event.work_dir} {seconds:.1f} s", flush=True)


def train(runs: Sequence[Planned], training: bool) -> list[Result]:
    """Train what is not finished, and give the results of all."""
    distinct = {item.run.work_dir: item for item in runs}
    waiting = [item.run for item in distinct.values() if not check_unchanged(item.run)]
    waiting.sort(key=lambda run: run.seed)  # something of each method first
    progress = Progress(len(waiting))
    if training:
        SerialExecutor(max_members=MAX_MEMBERS).execute(waiting, on_event=progress)
    results = (
        item.result(progress.errors) for item in distinct.values() if item.stage != "teacher"
    )
    return [result for result in results if result is not None]


def read_results(path: Path = RESULTS) -> list[Result]:
    """The results in a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Result(
                row["method"],
                row["pair"],
                row["stage"],
                float(row["factor"]),
                int(row["seed"]),
                float(row["accuracy"]) if row["accuracy"] else None,
                row["error"],
            )
            for row in csv.DictReader(file)
        ]


def write_results(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write results in order; what the file has of other methods stays."""
    new = list(results)
    trained = {(result.method, result.pair) for result in new}
    old = read_results(path) if path.is_file() else []
    kept = [result for result in old if (result.method, result.pair) not in trained]
    rows = sorted([*kept, *new], key=lambda r: (r.pair, r.method, r.stage, r.factor, r.seed))
    lines = [",".join(field.name for field in fields(Result))]
    lines += [",".join(_cell(value) for value in asdict(row).values()) for row in rows]
    write_atomically(path, "\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:g}" if isinstance(value, float) and value < 1000 else str(value)
    return '"' + text.replace('"', "'") + '"' if set(text) & {",", '"'} else text


def main() -> None:
    """Train in three stages, vision transformers last, and write the results after each."""
    parser = argparse.ArgumentParser(description="Train every method on the digits.")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/digits_methods"))
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--collect", action="store_true", help="do not train")
    args = parser.parse_args()
    pairs = by_pair(args.methods or [name for name in known_methods() if name != "ce"])
    for of_kind in (_without(pairs, TRANSFORMERS), _without(pairs, {*pairs} - {*TRANSFORMERS})):
        _train_stages(of_kind, args)


def _train_stages(pairs: Mapping[str, Sequence[str]], args: argparse.Namespace) -> None:
    results: list[Result] = []
    stages = (
        lambda: published(pairs, args.work_dir),
        lambda: searched(pairs, args.work_dir),
        lambda: tuned(pairs, best_factors(results), args.work_dir),
    )
    for stage in stages:
        runs = stage()
        of_stage = train(runs, not args.collect)
        results += of_stage
        write_results(results, args.output)
        if len(of_stage) < sum(item.stage != "teacher" for item in runs):
            return  # what is not trained yet cannot be collected, nor what builds on it


def _without(pairs: Mapping[str, list[str]], others: Container[str]) -> dict[str, list[str]]:
    return {pair: methods for pair, methods in pairs.items() if pair not in others}


if __name__ == "__main__":
    main()
