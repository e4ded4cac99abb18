"""The diagnosis of a finished run."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from cls_kd.analyses.diagnosis.measures import Measures
from cls_kd.analyses.diagnosis.predictions import (
    Observed,
    observe,
    split_figures,
    teacher_facts,
)
from cls_kd.analyses.diagnosis.registry import RULES, Finding
from cls_kd.analyses.diagnosis.training import Training
from cls_kd.analyses.finished_runs import FinishedRun, Split
from cls_kd.engine.loaders import class_names

DEFAULT_IMAGES = 2000
"""Images of each split that are measured at most."""

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
"""Temperatures at which confidence and calibration are measured, beside the losses' own."""


@dataclass(frozen=True)
class Diagnosis:
    """Measures of a run, and what is unusual in them."""

    measures: Measures
    findings: list[Finding]

    def as_json(self) -> str:
        """Both, as the text of a JSON file; what is not a number is null."""
        content = {"findings": [asdict(item) for item in self.findings]}
        return json.dumps(_plain({**content, **asdict(self.measures)}), indent=1) + "\n"


def diagnose(run: FinishedRun, images: int = DEFAULT_IMAGES) -> Diagnosis:
    """Measure a finished run and name what is unusual.

    Args:
        run: The run.
        images: At most so many of each split.

    Raises:
        UserError: The run cannot be rebuilt from its config and its checkpoint.
    """
    training = Training(run, images)
    moments = training.moments()
    terms = training.terms()
    losses = [term.temperature for term in terms.values() if term.temperature is not None]
    temperatures = [*TEMPERATURES, *losses]
    names = class_names(run.loader("train").dataset)
    train = observe(run, "train", images)
    split = _test_split(run)
    test = observe(run, split, images) if split else None
    measures = Measures(
        run=run.run.title,
        train=split_figures(train, temperatures, names),
        test=split_figures(test, temperatures, names) if test else None,
        test_split=split or "test",
        teacher=teacher_facts(run, train),
        terms=terms,
        moments=moments,
        similarity=_similarity(test or train),
        history=run.result.get("train", []),
        notes=_notes(run, train),
    )
    return Diagnosis(measures, findings(measures))


def findings(measures: Measures) -> list[Finding]:
    """All that is unusual, in the order of the rules."""
    return [item for rule in RULES for item in rule.findings(measures)]


def _test_split(run: FinishedRun) -> Split | None:
    splits: tuple[Split, ...] = ("test", "val")
    return next((split for split in splits if run.cfg.get(f"{split}_dataloader")), None)


def _similarity(observed: Observed) -> list[list[float]] | None:
    return None if observed.similarity is None else observed.similarity.compute().tolist()


def _notes(run: FinishedRun, observed: Observed) -> list[str]:
    teachers = run.distiller.teachers
    notes = []
    if not teachers:
        notes.append("The run has no teacher: what compares with one is left out.")
    if len(teachers) > 1:
        notes.append(f"Of {len(teachers)} teachers the first is measured.")
    if teachers and observed.similarity is None:
        notes.append("CKA is left out: a network has no stages.")
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
