"""A section of a report: one analysis, as a table, some lines and perhaps a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.table import Table

from cls_kd.files import replace_atomically
from cls_kd.markdown import markdown_table
from cls_kd.reporting import style


@dataclass(frozen=True)
class Section:
    """Result of an analysis.

    Attributes:
        name: Stem of its files, such as ``decomposition``.
        title: Heading.
        table: For people and for machines: full precision; shown with ``digits`` digits.
        notes: Explanations of the table; one sentence or two each.
        draw: Draws on an empty figure (``canvas.subplots()``); None where there is nothing to draw.
        size: Of that figure, in inches.
        digits: Digits behind the point in the table that people see.
    """

    name: str
    title: str
    table: pd.DataFrame
    notes: Sequence[str] = ()
    draw: Callable[[Figure], None] | None = None
    size: tuple[float, float] = (9.0, 4.5)
    digits: int = 2

    def markdown(self) -> str:
        """Heading, table, figure and notes, as a part of a page beside the figure's file."""
        figure = f"\n![{self.title}]({self.name}.png)\n" if self.draw is not None else ""
        notes = "".join(f"- {line}\n" for line in self.notes)
        return f"## {self.title}\n\n{table_to_markdown(self.table, self.digits)}{figure}\n{notes}"

    def terminal(self) -> Table:
        """The table for a terminal."""
        shown = Table(title=self.title)
        for column in self.table.columns:
            number = pd.api.types.is_numeric_dtype(self.table[column])
            shown.add_column(str(column), justify="right" if number else "left")
        for _, row in self.table.iterrows():
            shown.add_row(*(cell(value, self.digits) for value in row))
        return shown

    def write(self, root: str | Path) -> list[Path]:
        """Write ``<name>.csv`` and, where there is something to draw, ``<name>.png``."""
        root = Path(root)
        root.mkdir(parents=True, exist_ok=True)
        table, figure = root / f"{self.name}.csv", root / f"{self.name}.png"
        replace_atomically(table, lambda path: self.table.to_csv(path, index=False))
        if self.draw is None:
            return [table]
        style.write_figure(figure, self.size, self.draw)
        return [table, figure]


def table_to_markdown(table: pd.DataFrame, digits: int = 2) -> str:
    """A table as a page shows it; numbers to the right, a missing one is a dash."""
    numbers = [
        str(column) for column in table.columns if pd.api.types.is_numeric_dtype(table[column])
    ]
    rows = ([cell(value, digits) for value in row] for _, row in table.iterrows())
    return markdown_table([str(column) for column in table.columns], rows, numbers)


def cell(value: object, digits: int) -> str:
    """One value for people: floats with so many digits, what is missing as a dash.

    What these digits would show as zero, and is not, has an exponent: ``3.4e-05``.
    """
    if pd.isna(value):  # type: ignore[call-overload]
        return "-"
    if not isinstance(value, float):
        return str(value)
    hidden = value != 0 and abs(value) < 0.5 * 10**-digits
    return f"{value:.1e}" if hidden else f"{value:.{digits}f}"
