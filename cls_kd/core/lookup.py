"""The signals that losses ask for, and the values of one step by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cls_kd.signals import VOCABULARY, Batch
from cls_kd.signals.network import Indices
from cls_kd.signals.vocabulary import OF_ALL_TEACHERS


class Lookup:
    """The signals of one step, as one loss sees them."""

    def __init__(
        self,
        batch: Batch,
        student: Mapping[str, Any],
        teachers: Sequence[Mapping[str, Any]],
        teacher: int | None,
    ) -> None:
        self.batch, self.student, self.teachers, self.teacher = batch, student, teachers, teacher

    def __call__(self, name: str) -> Any:
        """The value of a signal."""
        provider = VOCABULARY[name].provider
        if provider == "student":
            return self.student[name]
        if provider != "teacher":
            return getattr(self.batch, name)
        if name in OF_ALL_TEACHERS:
            values = tuple(signals[OF_ALL_TEACHERS[name]] for signals in self.teachers)
            return torch.stack(values) if name == "all_teacher_logits" else values
        if self.teacher is not None:
            return self.teachers[self.teacher][name]
        return torch.stack([signals[name] for signals in self.teachers]).mean(dim=0)


def wanted_by(terms: Any) -> dict[str, Indices]:
    """The signals that terms ask for, with the indices that they read of tuples."""
    wanted: dict[str, Indices] = {}
    for term in terms:
        for name in term.loss.signals:
            indices = term.loss.stage_indices.get(name)
            before = wanted.get(name, frozenset())
            unknown = indices is None or before is None
            wanted[name] = None if unknown else before | frozenset(indices)  # type: ignore
    return wanted


def of_each_teacher(wanted: Mapping[str, Indices]) -> dict[str, Indices]:
    """The signals that each teacher has to give for those of all teachers."""
    return {OF_ALL_TEACHERS.get(name, name): indices for name, indices in wanted.items()}
