"""Pages of the methods: one for each loss, and a table of all of them by family."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import loss_docstrings
import numpy as np
from loss_docstrings import NO_PAPER, LossDocstring
from restructured_text import code, escaped, heading, join, table, with_links

import cls_kd.losses
from cls_kd.engine.catalog import Entry, catalog
from cls_kd.runs.benchmarks import Cell, read_cells
from cls_kd.runs.compose import known_methods
from cls_kd.signals import VOCABULARY

ROOT = Path(__file__).resolve().parents[2]
REFERENCE_VALUES = ROOT / "tests" / "reference_values"
# Family of a loss: title and introduction, by the package below cls_kd.losses that holds it.
FAMILIES = {
    "logit": ("Logits", "A frozen teacher's class scores are matched."),
    "feature": ("Feature maps", "Maps of a frozen teacher's stages are matched."),
    "relation": ("Relations", "Relations among the samples of a batch are matched."),
    "vit": ("Vision transformers", "Tokens of a frozen vision transformer are matched."),
    "online": ("Online", "Networks or branches are trained together; none is finished before."),
    "several_teachers": ("Several teachers", "Class scores of several teachers are matched."),
    "self_distillation": (
        "Self-distillation and regularization",
        "The student learns without a teacher.",
    ),
}
_UNTITLED = "{}", ""


def pages() -> dict[str, str]:
    """File name to text of every page.

    Raises:
        IncompleteDocstringError: Docstrings lack sections; all of them are named.
    """
    entries = catalog()
    docstrings = read_docstrings(entries)
    shown = configs_by_loss(entries, docstrings)
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in read_cells():
        cells[cell.method].append(cell)
    # A config that consists of two methods is on the pages of both; links lead to the first.
    home = {config: name for name, configs in reversed(shown.items()) for config in configs}
    texts = {}
    for entry in entries:
        labels = {config for config in shown[entry.name] if home[config] == entry.name}
        page = method_page(entry, docstrings[entry.name], shown[entry.name], labels, cells)
        texts[f"{entry.name}.rst"] = page
    return {"index.rst": index_page(entries, docstrings, shown), **texts}


def read_docstrings(entries: Iterable[Entry]) -> dict[str, LossDocstring]:
    """The docstring of each loss, by its class.

    Raises:
        IncompleteDocstringError: Some lack sections; all of them are named.
    """
    docstrings, problems = {}, []
    for entry in entries:
        text = inspect.getdoc(_class_of(entry)) or ""
        try:
            docstrings[entry.name] = loss_docstrings.parse(entry.name, text, entry.options)
        except loss_docstrings.IncompleteDocstringError as error:
            problems.append(str(error))
    if problems:
        raise loss_docstrings.IncompleteDocstringError("\n".join(problems))
    return docstrings


def configs_by_loss(
    entries: Sequence[Entry], docstrings: Mapping[str, LossDocstring]
) -> dict[str, tuple[str, ...]]:
    """Method configs that the page of each loss shows in full.

    A config is shown with the methods that it consists of. The task losses are in nearly all of
    them and have no paper: they show the configs that hold nothing else.
    """
    with_method = {
        config
        for entry in entries
        if docstrings[entry.name].paper != NO_PAPER
        for config in entry.methods
    }
    return {
        entry.name: entry.methods
        if docstrings[entry.name].paper != NO_PAPER
        else tuple(config for config in entry.methods if config not in with_method)
        for entry in entries
    }


def index_page(
    entries: Sequence[Entry],
    docstrings: Mapping[str, LossDocstring],
    shown: Mapping[str, Sequence[str]],
) -> str:
    """All methods in a table for each family."""
    families: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        families[_family(entry)].append(entry)
    known = [family for family in FAMILIES if family in families]
    blocks = []
    for family in [*known, *sorted(set(families) - set(FAMILIES))]:
        title, introduction = FAMILIES.get(family, _UNTITLED)
        rows = [
            [
                f":class:`~cls_kd.losses.{entry.name}`",
                escaped(entry.summary),
                with_links(_name_of_paper(docstrings[entry.name])),
                " ".join(f":ref:`{name} <config-{name}>`" for name in shown[entry.name]) or "all",
            ]
            for entry in families[family]
        ]
        blocks += [
            heading(title.format(family), 1),
            introduction,
            table(["loss", "what it does", "paper", "``--method``"], rows, [20, 42, 22, 16]),
        ]
    return join(
        heading("Methods"),
        "Each method is a loss; a config in ``configs/methods`` combines it with the task loss and "
        "sets the published options. ``--method NAME`` replaces the losses of any config by those.",
        *blocks,
        ".. toctree::\n   :hidden:\n\n" + "\n".join(f"   {entry.name}" for entry in entries),
    )


def method_page(
    entry: Entry,
    docstring: LossDocstring,
    configs: Sequence[str],
    labels: Collection[str],
    cells: Mapping[str, Sequence[Cell]],
) -> str:
    """All that is known of one loss."""
    loss = _class_of(entry)
    declaration = (
        f".. py:class:: cls_kd.losses.{entry.name}{_without_types(loss)}\n"
        f"   :canonical: {loss.__module__}.{entry.name}\n\n   {escaped(docstring.summary)}"
    )
    published = [cell for name in configs for cell in cells.get(name, ())]
    return join(
        heading(entry.name),
        ".. py:currentmodule:: cls_kd.losses",
        declaration,
        _paper(docstring),
        heading("Formula", 1),
        docstring.description,
        heading("Signals", 1),
        _signals(entry, docstring),
        heading("Options", 1),
        _options(entry, docstring),
        *_code(docstring),
        heading("Checks", 1),
        _checks(entry),
        heading("Configs", 1),
        _configs(configs, labels, entry),
        *_published(published),
    )


def _class_of(entry: Entry) -> type:
    return getattr(cls_kd.losses, entry.name)


def _family(entry: Entry) -> str:
    return _class_of(entry).__module__.removeprefix("cls_kd.losses.").partition(".")[0]


def _name_of_paper(docstring: LossDocstring) -> str:
    return "" if docstring.paper == NO_PAPER else docstring.paper


def _without_types(loss: type) -> str:
    signature = inspect.signature(loss)
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _paper(docstring: LossDocstring) -> str:
    return f"[0] {with_links(docstring.reference)}" if docstring.reference else ""


def _signals(entry: Entry, docstring: LossDocstring) -> str:
    if not entry.signals:
        return "Those of the loss inside it; logits reach that loss changed, all others unchanged."
    shapes = {
        name.strip(): shape
        for names, shape in docstring.shapes.items()
        for name in names.split(",")
    }
    rows = []
    for name in entry.signals:
        signal = VOCABULARY[name]
        shape = shapes.get(name, signal.shape)
        rows.append([code(name), escaped(shape.rstrip(".")), escaped(signal.meaning)])
    return join(
        "The parameters of its ``forward``. The letters of shapes are those of the "
        ":doc:`vocabulary </architecture>`.",
        table(["signal", "shape", "meaning"], rows, [28, 27, 45]),
    )


def _options(entry: Entry, docstring: LossDocstring) -> str:
    rows = [
        [
            code(name),
            code(repr(value)) if value != "required" else "required",
            escaped(docstring.arguments[name]),
        ]
        for name, value in entry.options.items()
    ]
    usual = f" Usual weight: {escaped(docstring.weight)}" if docstring.weight else ""
    return join(
        table(["option", "default", "meaning"], rows, [20, 15, 65]) if rows else "None of its own.",
        "In a config, every loss also takes ``weight``, a number or a :doc:`schedule </losses>`, "
        f"and ``teacher``, which chooses one of several teachers.{usual}",
    )


def _code(docstring: LossDocstring) -> list[str]:
    if not docstring.code:
        return []
    return [heading("The authors' code", 1), f"[1] {with_links(docstring.code)}"]


@cache
def _reference_values() -> dict[str, list[str]]:
    """Class to the references whose numbers it is compared with."""
    references: dict[str, list[str]] = defaultdict(list)
    for file in sorted(REFERENCE_VALUES.glob("*.npz")):
        with np.load(file, allow_pickle=False) as stored:
            meta = json.loads(str(stored["meta"]))
        references[meta["type"]].append(str(meta["reference"]))
    return references


def _checks(entry: Entry) -> str:
    references = _reference_values().get(entry.name, [])
    if not references:
        return (
            "There are no reference values: no public code computes them, or the loss has learned "
            "or random parts. It is compared with an independent version of the formula; "
            "``tests/losses/test_reference_values.py`` names the test."
        )
    sources = "; ".join(with_links(source) for source in dict.fromkeys(references))
    return (
        f"Values and gradients are compared with {len(references)} sets of reference values "
        f"(``tests/losses/test_reference_values.py``). Source: {sources}."
    )


def _configs(configs: Sequence[str], labels: Collection[str], entry: Entry) -> str:
    blocks = [_config(name, name in labels) for name in configs]
    others = [name for name in entry.methods if name not in configs]
    if others:
        links = ", ".join(f":ref:`{name} <config-{name}>`" for name in others)
        blocks.append(f"Part of: {links}.")
    return join(*blocks)


def _config(name: str, labeled: bool) -> str:
    path = known_methods()[name].resolve().relative_to(ROOT)
    label = f".. _config-{name}:\n\n" if labeled else ""
    return (
        f"{label}.. rubric:: {name}\n\n"
        f".. literalinclude:: /../{path}\n   :language: python\n   :caption: {path}"
    )


def _published(cells: Sequence[Cell]) -> list[str]:
    if not cells:
        return []
    rows = [
        [
            code(cell.pair),
            _percent(cell.teacher),
            _percent(cell.student),
            _percent(cell.top1) + (" ‡" if cell.second_hand and cell.top1 is not None else ""),
            "-" if cell.gain is None else f"{cell.gain:+.2f}",
            cell.epoch,
            with_links(cell.source) + (f" ({escaped(cell.note)})" if cell.note else ""),
        ]
        for cell in cells
    ]
    folders = sorted({f"configs/benchmarks/{cell.method}" for cell in cells})
    return [
        heading("Published results", 1),
        "Top-1 accuracy in percent, as others published it; none is measured by this project. "
        f"The configs are in {', '.join(code(folder) for folder in folders)}; "
        ":doc:`/benchmarks` tells how to read and reproduce the results. "
        "‡: from the table of another work.",
        table(
            ["pair", "teacher", "student", "published", "gain", "epoch", "source"],
            rows,
            [26, 9, 9, 11, 8, 9, 28],
        ),
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
