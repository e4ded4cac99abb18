"""Markdown tables."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence


def markdown_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Container[str] = ()
) -> str:
    """A table in GitHub's dialect of Markdown, one line a row.

    Args:
        titles: Of the columns.
        rows: Cells as text; a ``|`` in one is escaped.
        numbers: Titles of the columns that are aligned to the right.

    Example:
        >>> print(markdown_table(["run", "mean"], [["kd", "81.5"]], numbers=["mean"]), end="")
        | run | mean |
        | --- | ---: |
        | kd | 81.5 |
    """
    rules = ["---:" if title in numbers else "---" for title in titles]
    body = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (titles, rules, *body))
