"""Measures of a run for its diagnosis: plain values, as `diagnosis.json` holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cls_kd.evaluation.temperatures import Confidence


@dataclass(frozen=True)
class NetworkFigures:
    """One network on one split.

    Attributes:
        accuracy: Top-1 in percent.
        confidence: One entry for each temperature.
    """

    accuracy: float
    confidence: list[Confidence]


@dataclass(frozen=True)
class ClassFigures:
    """Agreement of student and teacher on one class.

    Attributes:
        name: The class's name, or its number.
        images: Images of the class.
        disagreements: Those of which the two networks predict different classes.
        student: The student's recall in percent.
        teacher: The teacher's recall in percent.
    """

    name: str
    images: int
    disagreements: int
    student: float
    teacher: float


@dataclass(frozen=True)
class SplitFigures:
    """Both networks on one split.

    Attributes:
        images: Images that were measured.
        student: The student.
        teacher: The teacher; None where the run has none.
        agreement: Images of which both predict the same class, in percent.
        classes: Classes by the number of disagreements, the largest first.
    """

    images: int
    student: NetworkFigures
    teacher: NetworkFigures | None = None
    agreement: float | None = None
    classes: list[ClassFigures] = field(default_factory=list)


@dataclass(frozen=True)
class TeacherFacts:
    """Images that the teacher sees, and facts that its own run recorded.

    Attributes:
        note: Where it comes from.
        mean: Mean of each channel of its training images, after normalization.
        deviation: Standard deviation of each channel.
        normalization: ``mean``, ``std`` and ``to_rgb`` that its images have in this run.
        recorded_accuracy: Top-1 in percent that its own run reached on its test split (else its
            validation split); None where its checkpoint is not in the folder of a finished run.
        recorded_normalization: That of its own run's config; None where it is not known.
    """

    note: str
    mean: list[float]
    deviation: list[float]
    normalization: dict[str, Any]
    recorded_accuracy: float | None = None
    recorded_normalization: dict[str, Any] | None = None


@dataclass(frozen=True)
class TermFacts:
    """One term of the objective.

    Attributes:
        loss: Class of the loss.
        group: ``task`` or ``distillation``.
        weight: Its weight as the config has it.
        temperature: The loss's temperature, where it compares softened logits with a teacher's.
        teacher_entropy: Normalized entropy of the teacher's softmax at that temperature, of the
            logits that the loss gets, in the first training batches.
        reads_teacher: Whether the loss asks for a signal of a teacher.
    """

    loss: str
    group: str
    weight: str
    temperature: float | None = None
    teacher_entropy: float | None = None
    reads_teacher: bool = False


@dataclass(frozen=True)
class TermSize:
    """A term at one point of training; means over training batches, with the term's weight.

    Attributes:
        value: The term.
        weight: Its weight at this point.
        at_parameters: Norm of its gradient by all parameters of the student.
        at_logits: Norm of its gradient by the student's logits of a batch; None where the term
            does not depend on them.
    """

    value: float
    weight: float
    at_parameters: float
    at_logits: float | None = None


@dataclass(frozen=True)
class Moment:
    """All terms at one point of training.

    Attributes:
        name: ``first``, ``epoch 10`` or ``last``.
        terms: By name.
        cosines: Of the terms' gradients by the student's parameters, by ``"ce, kd"``.
        logit_cosines: The same by the student's logits.
    """

    name: str
    terms: dict[str, TermSize]
    cosines: dict[str, float] = field(default_factory=dict)
    logit_cosines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measures:
    """All that a diagnosis looks at.

    Attributes:
        run: Title of the run.
        train: The training split as the student sees it, augmented.
        test: The test split, or the validation split where there is no other; None without both.
        test_split: Which of the two.
        teacher: None where the run has no teacher.
        terms: By name.
        moments: First and last weights, and checkpoints in between.
        similarity: Linear CKA of the student's stages (rows) and the teacher's; None where a
            network has no stages.
        history: The terms over epochs, as in ``result.json``.
        notes: What was not measured, and why.
    """

    run: str
    train: SplitFigures
    test: SplitFigures | None = None
    test_split: str = "test"
    teacher: TeacherFacts | None = None
    terms: dict[str, TermFacts] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    similarity: list[list[float]] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def held_out(self) -> tuple[str, SplitFigures]:
        """Name and figures of the test split, or of the training split where there is no other."""
        return ("train", self.train) if self.test is None else (self.test_split, self.test)
