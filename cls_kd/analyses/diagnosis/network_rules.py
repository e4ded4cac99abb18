"""Rules about the two networks. All thresholds are ours; docs/diagnose.md explains each rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cls_kd.analyses.diagnosis.measures import Measures
from cls_kd.analyses.diagnosis.registry import rule

SAME_NUMBER = 0.05
"""Relative difference up to which two normalizations count as the same."""

INPUT_MEAN = 1.0
"""Largest usual distance from 0 of the mean of a channel that a teacher sees."""

INPUT_DEVIATIONS = (1 / 3, 3.0)
"""Usual standard deviations of a channel that a teacher sees."""

LOST_ACCURACY = 10.0
"""Percentage points that a teacher may lose against its record, or on augmented images."""

UNDERFIT_GAP = 15.0
"""Percentage points that a student's training accuracy may be below its teacher's."""

UNTAUGHT_ACCURACY = 60.0
"""Training accuracy in percent below which a student without a teacher underfits."""

OVERFIT_GAP = 25.0
"""Percentage points that the student may lose from the training to the test split."""

WORST_CLASSES = 0.1
"""Fraction of the classes (at least one) that is looked at for concentrated disagreement."""

CONCENTRATED = 0.5
"""Fraction of all disagreements in these classes from which they are concentrated."""

FEW_DISAGREEMENTS = 20
"""Disagreements below which their places may be chance."""

UNLIKE = 0.2
"""CKA of the last stages below which they have little in common."""

_SHOWN = 5


@rule("teacher")
def teacher_normalization(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher gets another normalization than in its own training."""
    teacher = measures.teacher
    if teacher is None or teacher.recorded_normalization is None:
        return
    used, recorded = teacher.normalization, teacher.recorded_normalization
    differing = [key for key in ("mean", "std") if not _alike(used[key], recorded[key])]
    if used["to_rgb"] != recorded["to_rgb"] and len(teacher.mean) > 1:
        differing.append("to_rgb")
    if differing:
        now = ", ".join(f"{key} {_short(used[key])}" for key in differing)
        before = ", ".join(f"{key} {_short(recorded[key])}" for key in differing)
        yield (
            f"The teacher gets images with the wrong normalization: {now}; it was trained with "
            f"{before}.",
            "Give the teacher its own: teacher=dict(data_preprocessor=dict(mean=..., std=..., "
            "to_rgb=...)).",
        )


@rule("teacher")
def teacher_inputs(measures: Measures) -> Iterator[tuple[str, str]]:
    """The images that the teacher sees are far from mean 0 and deviation 1."""
    teacher = measures.teacher
    if teacher is None:
        return
    low, high = INPUT_DEVIATIONS
    shifted = any(abs(value) > INPUT_MEAN for value in teacher.mean)
    if shifted or any(not low <= value <= high for value in teacher.deviation):
        yield (
            f"The images that the teacher sees have mean {_short(teacher.mean)} and standard "
            f"deviation {_short(teacher.deviation)} by channel, far from 0 and 1: its "
            "normalization is probably wrong.",
            "Compare teacher=dict(data_preprocessor=dict(mean=..., std=...)) with what the "
            "teacher was trained with; values are on the scale 0-255.",
        )


@rule("teacher")
def teacher_below_record(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher is far below the accuracy that its own run recorded."""
    teacher = measures.teacher
    if teacher is None or teacher.recorded_accuracy is None:
        return
    splits = {"training": measures.train, measures.test_split: measures.test}
    low = {
        name: split.teacher.accuracy
        for name, split in splits.items()
        if split is not None
        and split.teacher is not None
        and teacher.recorded_accuracy - split.teacher.accuracy > LOST_ACCURACY
    }
    if low:
        each = " and ".join(f"{value:.1f} % of the {name} images" for name, value in low.items())
        yield (
            f"The teacher is right about {each} as this run shows them to it; its own run recorded "
            f"{teacher.recorded_accuracy:.1f} %.",
            "Check its normalization, order of channels, image size and the order of its classes "
            "(cls-kd test --network teacher measures it without augmentation).",
        )


@rule("teacher")
def teacher_augmentation(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher fails on the student's augmented training images."""
    train = measures.train.teacher
    test = None if measures.test is None else measures.test.teacher
    if train is None or test is None or test.accuracy - train.accuracy <= LOST_ACCURACY:
        return
    yield (
        f"The teacher is right about {train.accuracy:.1f} % of the augmented training images and "
        f"{test.accuracy:.1f} % of the {measures.test_split} images: the augmentation makes it a "
        "worse teacher.",
        "Weaken the augmentation of train_dataloader, or take a teacher that was trained with it.",
    )


@rule("accuracy")
def teacher_weaker(measures: Measures) -> Iterator[tuple[str, str]]:
    """The teacher is weaker than the student."""
    name, split = measures.held_out()
    if split.teacher is not None and split.teacher.accuracy < split.student.accuracy:
        yield (
            f"The teacher ({split.teacher.accuracy:.1f} %) is weaker than the student "
            f"({split.student.accuracy:.1f} %) on the {name} split.",
            "Train the teacher longer or take a stronger one; lower the weight of the "
            "distillation terms.",
        )


@rule("accuracy")
def underfits(measures: Measures) -> Iterator[tuple[str, str]]:
    """The student does not fit its training images."""
    student, teacher = measures.train.student.accuracy, measures.train.teacher
    least = UNTAUGHT_ACCURACY if teacher is None else teacher.accuracy - UNDERFIT_GAP
    if student < least:
        beside = "" if teacher is None else f"; its teacher, about {teacher.accuracy:.1f} %"
        yield (
            f"The student underfits: it is right about {student:.1f} % of its training "
            f"images{beside}.",
            "Train longer, raise the learning rate, weaken the augmentation or the weight decay, "
            "or take a larger student. If a term dwarfs the others, mend that first.",
        )


@rule("accuracy")
def overfits(measures: Measures) -> Iterator[tuple[str, str]]:
    """The student is far better on its training images than on others."""
    if measures.test is None:
        return
    gap = measures.train.student.accuracy - measures.test.student.accuracy
    if gap > OVERFIT_GAP:
        yield (
            f"The student overfits: it loses {gap:.1f} points from the training to the "
            f"{measures.test_split} split.",
            "Strengthen the augmentation or the weight decay, or give distillation more weight: "
            "soft targets regularize.",
        )


@rule("agreement")
def disagreement_in_classes(measures: Measures) -> Iterator[tuple[str, str]]:
    """Most disagreements of student and teacher are in few classes."""
    _, split = measures.held_out()
    total = sum(item.disagreements for item in split.classes)
    if total < FEW_DISAGREEMENTS:
        return
    worst = split.classes[: max(1, round(WORST_CLASSES * len(split.classes)))]
    share = sum(item.disagreements for item in worst) / total
    if share >= CONCENTRATED and len(split.classes) > 2:
        names = ", ".join(f"{item.name} ({item.disagreements})" for item in worst[:_SHOWN])
        yield (
            f"{100 * share:.0f} % of the {total} disagreements of student and teacher are in "
            f"{len(worst)} of {len(split.classes)} classes: {names}.",
            "Compare both networks' recall there. Where the teacher's is low, its classes may be "
            "others than the data's; where the student's is, training may have few images of them "
            "(cls-kd check-data counts them).",
        )


@rule("similarity")
def unlike_features(measures: Measures) -> Iterator[tuple[str, str]]:
    """The last stages of student and teacher have little in common."""
    if measures.similarity is None:
        return
    last = measures.similarity[-1][-1]
    if last < UNLIKE:
        yield (
            f"The last stages of student and teacher have a CKA of {last:.2f}: their features have "
            "little in common.",
            "Check what the teacher sees; then try a term on features (FitNet, RKD, SRRL).",
        )


def _alike(first: Sequence[float], second: Sequence[float]) -> bool:
    length = max(len(first), len(second))
    pairs = zip(_repeated(first, length), _repeated(second, length), strict=True)
    return all(abs(a - b) <= SAME_NUMBER * max(abs(a), abs(b), 1.0) for a, b in pairs)


def _repeated(values: Sequence[float], length: int) -> list[float]:
    return list(values) * length if len(values) == 1 else list(values)


def _short(values: object) -> str:
    items = values if isinstance(values, list | tuple) else [values]
    return ", ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in items)
