"""Files and functions stay short: at most 350 lines a file, 50 lines of code a function.

A file of a loss has at most 150 lines, and half of them 60 or less. All lines are counted, also
docstrings and empty ones. Files of losses are those in the folders below ``cls_kd/losses``; what
several of them share lies beside these folders.
"""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for path in (ROOT / "cls_kd").rglob("*.py")
    if not path.is_relative_to(ROOT / "cls_kd/configs")
)
LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 50
LOSSES = sorted((ROOT / "cls_kd/losses").glob("*/[!_]*.py"))
LINES_OF_A_LOSS = 150
MEDIAN_OF_LOSSES = 60
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def lines_of_code(text: str) -> set[int]:
    """Numbers of the lines that hold more than comments and docstrings."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    } - docstrings


def lengths(text: str) -> Iterator[tuple[str, int]]:
    """Name and lines of code of each function."""
    code = lines_of_code(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, len(code & set(range(node.lineno, (node.end_lineno or 0) + 1)))


def test_comments_docstrings_and_empty_lines_are_not_counted() -> None:
    docstring, comment = '"""One\n\n    two."""', "# Why."
    code = "y = (\n        x  # x\n    )\n    return y"
    text = f"def f(x):\n    {docstring}\n    {comment}\n\n    {code}\n"
    assert list(lengths(text)) == [("f", 5)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_file_and_its_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_OF_A_FILE
    long = {name: length for name, length in lengths(text) if length > LINES_OF_A_FUNCTION}
    assert not long


def test_files_of_losses_are_shorter() -> None:
    lengths = {path.stem: len(path.read_text().splitlines()) for path in LOSSES}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > LINES_OF_A_LOSS} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_OF_LOSSES
