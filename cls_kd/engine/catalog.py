"""The catalog of methods: what each loss says of itself, and which method configs use it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cls_kd.losses
from cls_kd.errors import UserError, did_you_mean
from cls_kd.files import write_atomically
from cls_kd.losses import DistillLoss
from cls_kd.markdown import markdown_table
from cls_kd.registry import MODELS
from cls_kd.runs.compose import known_methods, read_config
from cls_kd.signals import VOCABULARY

BEGIN, END = "<!-- methods:begin -->", "<!-- methods:end -->"
_PAPER = re.compile(r"^\s*Paper: (.+)$", re.MULTILINE)
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_MANY = 6
_OF_EVERY_LOSS = ("weight", "teacher", "group")


@dataclass(frozen=True)
class Entry:
    """One loss.

    Attributes:
        name: Its class, as ``type=`` names it.
        summary: First line of its docstring.
        signals: What it asks for; empty where another loss inside it decides.
        options: Its own hyper-parameters and their defaults.
        space: What ``cls-kd tune`` searches, to the ranges: options, and the weight of all but
            task losses, against which the others are weighed.
        paper: Authors, year, number; empty where it is no method of its own.
        methods: Configs that use it, by name.
    """

    name: str
    summary: str
    signals: tuple[str, ...]
    options: dict[str, Any]
    space: dict[str, str]
    paper: str
    methods: tuple[str, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        """The signals, for people."""
        return self.signals or ("what its loss asks for",)

    @property
    def used(self) -> tuple[str, ...]:
        """The method configs, for people: a loss that is nearly everywhere is counted."""
        count = len(self.methods)
        return self.methods if count <= _MANY else (f"{count} configs",)

    @property
    def defaults(self) -> str:
        """``temperature=4.0, beta=8.0``."""
        return ", ".join(f"{name}={value}" for name, value in self.options.items())


def catalog() -> list[Entry]:
    """Every loss of this project, by name."""
    uses = {name: set(_losses_of(file)) for name, file in known_methods().items()}
    package = cls_kd.losses.__name__
    registered = {
        kind.__name__: kind
        for kind in MODELS.module_dict.values()
        if inspect.isclass(kind) and issubclass(kind, DistillLoss)
    }
    return [
        _entry(kind, tuple(sorted(method for method in uses if name in uses[method])))
        for name, kind in sorted(registered.items(), key=lambda item: item[0].lower())
        if kind.__module__.startswith(f"{package}.")
    ]


def find(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """The loss of that name, or those that a method config of that name uses.

    Raises:
        UserError: There is none; the nearest are listed.
    """
    matches = [entry for entry in entries if name == entry.name or name in entry.methods]
    if not matches:
        methods = {method for entry in entries for method in entry.methods}
        known = {entry.name for entry in entries} | methods
        raise UserError(f"There is no loss or method {name!r}.{did_you_mean(name, known)}")
    return matches


def to_markdown(entries: Sequence[Entry]) -> str:
    """The table of a README."""
    rows = [
        (
            f"`{entry.name}`",
            entry.summary,
            _code(entry.asked, VOCABULARY),
            _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", entry.paper),
            _code(entry.used, entry.methods),
        )
        for entry in entries
    ]
    titles = ("loss", "what it does", "asks for", "paper", "configs")
    return markdown_table(titles, rows).rstrip("\n")


def _code(words: Iterable[str], known: Container[str]) -> str:
    return " ".join(f"`{word}`" if word in known else word for word in words)


def embed(page: Path, table: str) -> str:
    """The text of a page with the table between its markers.

    Raises:
        UserError: The page is missing, or has not one pair of markers.
    """
    if not page.is_file():
        raise UserError(f"The page {page} does not exist.")
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise UserError(f"{page} needs the markers {BEGIN} and {END} once, in this order.")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def check(page: Path, table: str) -> None:
    """Refuse a page whose table is not the current one.

    Raises:
        UserError: It is stale.
    """
    if embed(page, table) != page.read_text(encoding="utf-8"):
        raise UserError(f"The methods in {page} are stale: cls-kd methods --write {page}")


def write(page: Path, table: str) -> None:
    """Put the table between the page's markers."""
    write_atomically(page, embed(page, table))


def _entry(kind: type[DistillLoss], methods: tuple[str, ...]) -> Entry:
    text = inspect.getdoc(kind) or ""
    paper = _PAPER.search(text)
    parameters = inspect.signature(kind).parameters.values()
    options = {
        parameter.name: "required" if parameter.default is parameter.empty else parameter.default
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in _OF_EVERY_LOSS
    }
    asked = list(inspect.signature(kind.forward).parameters.values())[1:]
    signals = [parameter.name for parameter in asked if parameter.kind is not parameter.VAR_KEYWORD]
    summary = text.partition("\n")[0]
    space = {name: str(values) for name, values in kind.search_space.items()}
    if kind.group != "task":
        space["weight"] = "a hundredth to ten times the default, logarithmic"
    named = paper[1].strip() if paper else ""
    return Entry(kind.__name__, summary, tuple(signals), options, space, named, methods)


def _losses_of(file: Path) -> Iterator[str]:
    """Class names of all losses in a method config, also inside others."""
    return _types_in(read_config(file).get("losses", {}))


def _types_in(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if "type" in config:
            yield str(config["type"]).rsplit(".", 1)[-1]
        for value in config.values():
            yield from _types_in(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _types_in(value)
