"""Pieces of reStructuredText."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

# Markup within text; "@", because name@commit would become an address of electronic mail; and a
# letter or number with a period at the beginning, which would become a list.
_SPECIAL = re.compile(r"([\\*`|_@]|(?<=^\w)\.)")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_GITHUB = re.compile(r"^([\w.-]+/[\w.-]+)(?:@(\w+))?(?::([\w./-]*\w))?")


def heading(title: str, level: int = 0) -> str:
    """A heading; the title of the page has level 0."""
    return f"{title}\n{'=-~^'[level] * len(title)}"


def code(text: str) -> str:
    """Inline code."""
    return f"``{text}``"


def escaped(text: str) -> str:
    """Text in which no character is taken for markup; inline code is kept."""
    parts = re.split(r"(``.+?``)", text)
    return "".join(part if part.startswith("``") else _SPECIAL.sub(r"\\\1", part) for part in parts)


def with_links(text: str) -> str:
    """Escaped text in which papers of arXiv, and a repository at its beginning, are links."""
    linked = _ARXIV.sub(r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", escaped(text))
    repository = _GITHUB.match(text)
    if repository is None:
        return linked
    name, commit, path = repository.groups()
    url = f"https://github.com/{name}"
    if commit:
        url += f"/blob/{commit}/{path}" if path else f"/tree/{commit}"
    shown = escaped(repository[0])
    return f"`{shown} <{url}>`__" + linked.removeprefix(shown)


def table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int] | None = None
) -> str:
    """A table whose cells are reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1"]
    if widths is not None:
        lines.append(f"   :widths: {' '.join(map(str, widths))}")
    lines.append("")
    for row in [titles, *rows]:
        for number, cell in enumerate(row):
            lead = "   * - " if number == 0 else "     - "
            lines.append(lead + textwrap.indent(cell, " " * 7).strip())
    return "\n".join(lines)


def join(*blocks: str) -> str:
    """A page of blocks; empty ones are left out."""
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"
