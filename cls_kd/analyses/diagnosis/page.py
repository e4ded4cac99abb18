"""A diagnosis as one page: the same parts for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cls_kd.analyses.diagnosis.diagnose import Diagnosis
from cls_kd.analyses.diagnosis.measures import Measures, Moment, SplitFigures
from cls_kd.analyses.diagnosis.registry import Finding
from cls_kd.markdown import markdown_table

TITLES = {
    "accuracy": "Accuracy",
    "teacher": "What the teacher sees",
    "agreement": "Agreement by class",
    "confidence": "Entropy and calibration by temperature",
    "gradients": "Terms and their gradients",
    "history": "Terms over training",
    "similarity": "CKA between stages",
}
"""Headings of the figures, by the names by which rules refer to them."""

WORST = 5
"""Classes that the page lists."""

EPOCHS = 6
"""Entries of the history that the page shows."""


@dataclass(frozen=True)
class Figure:
    """A part of the page.

    Attributes:
        name: By which findings refer to it.
        columns: Titles of the table's columns; the first is text.
        rows: Cells.
        caption: How to read it.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str

    @property
    def title(self) -> str:
        """Heading."""
        return TITLES[self.name]


def markdown(diagnosis: Diagnosis) -> str:
    """The page in Markdown."""
    measures = diagnosis.measures
    parts = [f"# Diagnosis of {measures.run}\n", *_summary(diagnosis)]
    for figure in figures(measures):
        table = markdown_table(figure.columns, figure.rows, figure.columns[1:])
        remarks = _remarks(diagnosis.findings, figure.name)
        parts += [f"\n## {figure.title}\n\n{table}\n{figure.caption}\n\n{remarks}"]
    parts += [f"\n{note}\n" for note in measures.notes]
    return "".join(parts)


def terminal(diagnosis: Diagnosis) -> RenderableType:
    """The page for a terminal."""
    summary = "".join(_summary(diagnosis)).replace("**", "")
    parts: list[RenderableType] = [Text(f"Diagnosis of {diagnosis.measures.run}"), Text(summary)]
    for figure in figures(diagnosis.measures):
        table = Table(title=figure.title, title_justify="left")
        for position, column in enumerate(figure.columns):
            table.add_column(escape(column), justify="right" if position else "left")
        for row in figure.rows:
            table.add_row(*map(escape, row))
        remarks = _remarks(diagnosis.findings, figure.name).replace("**", "")
        parts += [table, Text(figure.caption), Text(remarks)]
    parts += [Text(note) for note in diagnosis.measures.notes]
    return Group(*parts)


def show(diagnosis: Diagnosis) -> None:
    """Print the page."""
    Console(highlight=False).print(terminal(diagnosis))


def figures(measures: Measures) -> Iterator[Figure]:
    """The figures that the run's measures fill."""
    for make in FIGURES:
        figure = make(measures)
        if figure is not None and figure.rows:
            yield figure


def _summary(diagnosis: Diagnosis) -> Iterator[str]:
    """The findings in short; the figures have the details."""
    if not diagnosis.findings:
        yield "\nNothing unusual was found.\n"
        return
    yield "\nUnusual, the likely causes first:\n\n"
    names = dict.fromkeys((item.rule, item.summary, item.figure) for item in diagnosis.findings)
    for number, (rule, summary, figure) in enumerate(names, 1):
        yield f"{number}. {summary} ({rule}, see: {TITLES[figure]})\n"


def _remarks(findings: Sequence[Finding], figure: str) -> str:
    about = [item for item in findings if item.figure == figure]
    if not about:
        return "Nothing unusual.\n"
    return "".join(f"- {item.text} **Try:** {item.advice}\n" for item in about)


def _splits(measures: Measures) -> list[tuple[str, SplitFigures]]:
    splits = [("train", measures.train)]
    return [*splits, (measures.test_split, measures.test)] if measures.test else splits


def _accuracy(measures: Measures) -> Figure:
    splits = _splits(measures)
    roles = ["student"] if measures.train.teacher is None else ["student", "teacher"]
    columns = ["network", *(f"{name} %" for name, _ in splits)]
    columns += ["gap"] if len(splits) == 2 else []
    rows = []
    for role in roles:
        values = [getattr(split, role).accuracy for _, split in splits]
        gap = [f"{values[0] - values[1]:+.1f}"] if len(values) == 2 else []
        rows.append([role, *(f"{value:.1f}" for value in values), *gap])
    counts = " and ".join(f"{split.images} {name} images" for name, split in splits)
    return Figure(
        "accuracy",
        columns,
        rows,
        f"Top-1, on {counts}; training images as the student sees them, augmented and normalized. "
        "gap: points from training to test.",
    )


def _teacher(measures: Measures) -> Figure | None:
    teacher = measures.teacher
    if teacher is None:
        return None
    pairs = zip(teacher.mean, teacher.deviation, strict=True)
    recorded = teacher.recorded_accuracy
    known = "is not known" if recorded is None else f"is {recorded:.1f} %"
    return Figure(
        "teacher",
        ["channel", "mean", "deviation"],
        [[str(index), f"{mean:.2f}", f"{std:.2f}"] for index, (mean, std) in enumerate(pairs)],
        f"Of its training images after normalization; usual are 0 and 1. {teacher.note} The "
        f"accuracy that its own run recorded {known}.",
    )


def _agreement(measures: Measures) -> Figure | None:
    _, split = measures.held_out()
    if split.agreement is None:
        return None
    rows = [
        [
            item.name,
            *(str(count) for count in (item.images, item.disagreements)),
            *(f"{recall:.1f}" for recall in (item.student, item.teacher)),
        ]
        for item in split.classes[:WORST]
    ]
    each = ", ".join(f"{part.agreement:.1f} % ({name})" for name, part in _splits(measures))
    return Figure(
        "agreement",
        ["class", "images", "disagreements", "student %", "teacher %"],
        rows,
        f"Student and teacher predict the same class for {each} of the images. Listed are the "
        f"{len(rows)} classes where most is lost, with the recall of both.",
    )


def _confidence_figure(measures: Measures) -> Figure:
    name, split = measures.held_out()
    rows = []
    for role in ("teacher", "student"):
        network = getattr(split, role)
        for item in network.confidence if network else ():
            values = (
                item.entropy,
                item.normalized_entropy,
                item.beyond_top,
                item.calibration_error,
            )
            rows.append([f"{role}, T={item.temperature:g}", *(f"{value:.3f}" for value in values)])
    seen = [
        f"{name} sees {term.teacher_entropy:.3f} at T={term.temperature:g}"
        for name, term in measures.terms.items()
        if term.teacher_entropy is not None
    ]
    return Figure(
        "confidence",
        ["network", "entropy", "entropy / log K", "beyond top", "ECE"],
        rows,
        f"On the {name} split; entropy in nats; "
        "beyond top: probability outside of the most probable class. Of the teacher's entropy / "
        f"log K, on training batches: {'; '.join(seen) or 'no loss softens it'}.",
    )


def _gradients(measures: Measures) -> Figure:
    rows = []
    for moment in measures.moments:
        for name, size in moment.terms.items():
            logits = "-" if size.at_logits is None else f"{size.at_logits:.3g}"
            figures = [f"{size.weight:g}", f"{size.value:.3g}", logits, f"{size.at_parameters:.3g}"]
            rows.append([f"{moment.name}: {name}", *figures, _cosines(moment, name)])
    return Figure(
        "gradients",
        ["term", "weight", "value", "by logits", "by parameters", "cosine"],
        rows,
        "Weighted terms on training batches; norms of their gradients by the student's logits (- "
        "where a term does not reach them, as terms on features) and by all of its parameters; "
        "cosine of the latter with those of the other terms.",
    )


def _cosines(moment: Moment, name: str) -> str:
    pairs = {tuple(pair.split(", ")): value for pair, value in moment.cosines.items()}
    others = [
        f"{second if first == name else first} {value:+.2f}"
        for (first, second), value in pairs.items()
        if name in (first, second)
    ]
    return ", ".join(others) or "-"


def _history(measures: Measures) -> Figure | None:
    if not measures.history:
        return None
    keys = [key for key in measures.history[0] if "loss" in key]
    unit = "epoch" if "epoch" in measures.history[0] else "iter"
    step = max(1, -(-len(measures.history) // EPOCHS))
    shown = [*measures.history[:-1:step], measures.history[-1]]
    rows = [
        [str(entry[unit]), *(f"{entry.get(key, float('nan')):.3g}" for key in keys)]
        for entry in shown
    ]
    return Figure(
        "history",
        [unit, *keys],
        rows,
        "Means of the weighted terms, as result.json has them.",
    )


def _similarity(measures: Measures) -> Figure | None:
    matrix = measures.similarity
    if matrix is None:
        return None
    return Figure(
        "similarity",
        ["student's stage", *(f"teacher's {index}" for index in range(len(matrix[0])))],
        [[str(index), *(f"{value:.2f}" for value in row)] for index, row in enumerate(matrix)],
        "Linear CKA: 1 for the same representation up to rotation and scale, 0 for unrelated ones.",
    )


FIGURES: list[Callable[[Measures], Figure | None]] = [
    _accuracy,
    _teacher,
    _agreement,
    _confidence_figure,
    _gradients,
    _history,
    _similarity,
]
