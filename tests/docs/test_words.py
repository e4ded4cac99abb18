"""One vocabulary: American spelling, the field's terms, and nouns as names of variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TERMS = {
    # British spelling, by its stem.
    r"\w*analys(?:e|ed|ing)\b": "analyze",
    r"\w*behaviour\w*": "behavior",
    r"catalogue\w*": "catalog",
    r"centre[sd]?": "center",
    r"\w*colour\w*": "color",
    r"distils?": "distill",
    r"\w*favour\w*": "favor",
    r"\w*generalis(?:e|ed|es|ing|ation)\b": "generalize",
    r"grey\w*": "gray",
    r"\w*initialis\w+": "initialize",
    r"\w+labelled": "labeled",
    r"neighbour\w*": "neighbor",
    r"\w*normalis\w+": "normalize",
    r"\w*optimis(?:e|ed|er|ers|es|ing|ation)\b": "optimize",
    r"organis\w+": "organize",
    r"penalis\w+": "penalize",
    r"quantis\w+": "quantize",
    r"recognis\w+": "recognize",
    r"regularis\w+": "regularize",
    r"standardis\w+": "standardize",
    r"summaris\w+": "summarize",
    r"synchronis\w+": "synchronize",
    # Our former words for what has a standard term.
    r"made[- ]up": "synthetic",
    r"dry (?:pass|passes|forward)": "dry run",
    r"rehears\w+": "dry run",
    r"part of the data(?! set)": "split",
    r"(?:test|training|validation) part": "split",
    r"published figures?": "published result",
    r"(?:a|the|this|as a) share": "fraction",
    r"shares? of": "fraction",
    r"softness": "confidence",
    # Former names in the code.
    r"check_share": "check_fraction",
    r"PastPredictions": "PredictionBank",
    r"ShapeFacts": "SignalShapes",
}
"""Regular expression of a word to the term that stands for it."""

NO_NOUNS = {"at", "found", "heard", "lender", "of", "one", "own", "place"}
"""Prepositions and the like, which say nothing as the name of a variable."""

OPENINGS = re.compile(r"(?:What|Whether|How)\b")
"""Beginnings of docstrings that put off the noun that a reader searches for."""

TITLES = ("Cross-View Consistency Regularisation",)
"""Titles of papers in their own spelling."""

ALLOWED = {
    # Options of configs.
    ("cls_kd/models/fusions.py", "own"),
}
"""File and name of a variable that cannot change."""


def checked(pattern: str, *roots: str) -> list[str]:
    """Paths of the files that are checked, relative to the repository."""
    files = (path for root in roots for path in sorted((ROOT / root).rglob(pattern)))
    # Pages that `make docs` writes are made from the docstrings.
    generated = ("docs/_build/", "docs/api/", "docs/methods/", "docs/project/", "cls_kd/configs/")
    names = (path.relative_to(ROOT).as_posix() for path in files)
    return [name for name in names if not name.startswith(generated)]


SOURCES = checked("*.py", "cls_kd")
TEXTS = [
    *SOURCES,
    *checked("*.py", "configs", "docs"),
    *checked("*.yml", "configs"),
    *checked("*.md", "docs"),
    "README.md",
]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def bound_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Names of variables and parameters, with their lines."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def strings(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Docstrings, also those below constants and attributes, with their lines."""
    for node in ast.walk(module):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text, node.lineno


def former_words(text: str) -> list[str]:
    """Each former word in a text with the term that replaces it."""
    for title in TITLES:
        text = text.replace(title, "")
    every = re.compile("|".join(rf"\b(?:{word})\b" for word in TERMS), re.I)
    if not every.search(text):
        return []
    return [
        f"line {text[: match.start()].count(chr(10)) + 1}: {match[0]!r}, better {term!r}"
        for word, term in TERMS.items()
        for match in re.finditer(rf"\b(?:{word})\b", text, re.I)
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [("The normalisation of colours", 2), ("an analysis, normalized", 0), ("a share of it", 2)],
)
def test_former_words_are_found(text: str, count: int) -> None:
    assert len(former_words(text)) == count


def test_texts_have_no_former_words() -> None:
    faults = {name: former_words((ROOT / name).read_text()) for name in TEXTS}
    assert {name: words for name, words in faults.items() if words} == {}


def test_variables_are_nouns() -> None:
    faults = [
        f"{name}:{line}: {variable}"
        for name in SOURCES
        for variable, line in bound_names(tree(name))
        if variable in NO_NOUNS and (name, variable) not in ALLOWED
    ]
    assert not faults, "\n".join(faults)


def test_docstrings_begin_with_the_noun() -> None:
    faults = [
        f"{name}:{line}: {text.splitlines()[0]}"
        for name in SOURCES
        for text, line in strings(tree(name))
        if OPENINGS.match(text.strip())
    ]
    assert not faults, "\n".join(faults)
