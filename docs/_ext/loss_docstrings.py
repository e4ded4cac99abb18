"""Read the docstring of a loss: its sections, as docs/losses.md prescribes them."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Collection
from dataclasses import dataclass

_SECTION = re.compile(r"^(?:\[(\d+)\] |(Shapes|Args|Weight|Raises|Attributes|Example):\n)", re.M)
_PAPER = re.compile(r"^Paper: (.+)$", re.M)
_ITEM = re.compile(r"^(\S[^:\n]*): ", re.M)
NO_PAPER = "none"


class IncompleteDocstringError(ValueError):
    """A docstring lacks a section that the page of a method is made of."""


@dataclass(frozen=True)
class LossDocstring:
    """What a loss says of itself.

    Attributes:
        summary: First line.
        paper: Authors, year and number; ``none`` for a loss that is no method of its own.
        description: Formula and explanation, as reStructuredText.
        reference: Full reference of the paper; empty where ``paper`` is ``none``.
        code: The authors' code, and how this implementation differs from it; empty likewise.
        shapes: Signals, as they are grouped there, to their shape.
        arguments: Argument to its meaning.
        weight: The weight that the paper uses; empty where it is 1 or none is named.
    """

    summary: str
    paper: str
    description: str
    reference: str
    code: str
    shapes: dict[str, str]
    arguments: dict[str, str]
    weight: str


def parse(name: str, docstring: str, options: Collection[str] = ()) -> LossDocstring:
    """Take the docstring of a loss apart.

    Args:
        name: The class, for messages.
        docstring: Its text, indented or not.
        options: Hyper-parameters that must be described.

    Raises:
        IncompleteDocstringError: Sections are missing; the message names all of them.
    """
    text = inspect.cleandoc(docstring)
    summary, _, rest = text.partition("\n")
    paper = _PAPER.search(rest)
    introduction, parts = _split(_SECTION, rest)
    sections = {match[1] or match[2]: textwrap.dedent(part).strip("\n ") for match, part in parts}
    parsed = LossDocstring(
        summary=summary.strip(),
        paper=paper[1].strip() if paper else "",
        description=_PAPER.sub("", introduction).strip(),
        reference=_one_line(sections.get("0", "")),
        code=_one_line(sections.get("1", "")),
        shapes=_items(sections.get("Shapes", "")),
        arguments=_items(sections.get("Args", "")),
        weight=_one_line(sections.get("Weight", "")),
    )
    missing = _missing(parsed, options)
    if missing:
        raise IncompleteDocstringError(f"The docstring of {name} lacks {', '.join(missing)}.")
    return parsed


def _missing(parsed: LossDocstring, options: Collection[str]) -> list[str]:
    needed = {
        "a summary that ends with a period": parsed.summary.endswith("."),
        "a line 'Paper: Authors YEAR, where' or 'Paper: none'": parsed.paper,
        "a formula ('.. math::')": ".. math::" in parsed.description,
        "the section 'Shapes:'": parsed.shapes,
    }
    if parsed.paper != NO_PAPER:
        needed["the reference '[0]'"] = parsed.reference
        needed["the authors' code '[1]', and how this differs"] = parsed.code
    needed |= {
        f"the argument {option!r} in 'Args:'": option in parsed.arguments for option in options
    }
    return [section for section, present in needed.items() if not present]


def _items(section: str) -> dict[str, str]:
    """``name: text``, where following lines are indented, as a dict."""
    return {match[1]: _one_line(part) for match, part in _split(_ITEM, section)[1]}


def _split(pattern: re.Pattern[str], text: str) -> tuple[str, list[tuple[re.Match[str], str]]]:
    """The text before the first match, and each match with the text up to the next one."""
    matches = list(pattern.finditer(text))
    bounds = [*(match.start() for match in matches), len(text)]
    parts = [
        (match, text[match.end() : end]) for match, end in zip(matches, bounds[1:], strict=True)
    ]
    return text[: bounds[0]], parts


def _one_line(text: str) -> str:
    return " ".join(text.split())
