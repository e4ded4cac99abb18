"""The page of coverage: who has a method, and how ours is checked.

``python docs/_ext/coverage_page.py`` writes it into docs/coverage.md. What other frameworks have is
in ``frameworks.yml``; the checks are read from the tables and files of the tests.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from method_pages import FAMILIES

import cls_kd.losses
from cls_kd.files import write_atomically
from cls_kd.losses import DistillLoss
from cls_kd.markdown import markdown_table
from cls_kd.runs.compose import known_methods, read_config

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "coverage.md"
FRAMEWORKS = Path(__file__).with_name("frameworks.yml")
TESTS = ROOT / "tests"
BEGIN, END = "<!-- coverage:begin -->", "<!-- coverage:end -->"


@dataclass(frozen=True)
class Framework:
    """Methods of another framework.

    Attributes:
        repository: ``owner/name``.
        commit: Where the list was read.
        list: The file that lists them.
        methods: Their names to ours, in ``configs/methods``.
        missing: Their names of what is not here, to the reason.
        notes: What else there is to know of a name.
    """

    repository: str
    commit: str
    list: str
    methods: Mapping[str, list[str]]
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def read_frameworks() -> dict[str, Framework]:
    """The other frameworks by name."""
    content = yaml.safe_load(FRAMEWORKS.read_text(encoding="utf-8"))
    return {name: Framework(**entries) for name, entries in content.items()}


def losses_of(method: str) -> tuple[str, ...]:
    """Classes of a method's losses, and of those inside them; the task loss where it is alone."""
    config = read_config(known_methods()[method]).to_dict()
    found = dict.fromkeys(_loss_types(config["losses"]))
    own = tuple(name for name in found if not name.endswith("TaskLoss"))
    return own or tuple(found)


def _loss_types(part: Any) -> Iterator[str]:
    if not isinstance(part, Mapping):
        return
    name = str(part.get("type", "")).rpartition(".")[2]
    loss = getattr(cls_kd.losses, name, None)
    if isinstance(loss, type) and issubclass(loss, DistillLoss):
        yield name
    for value in part.values():
        yield from _loss_types(value)


@cache
def with_reference_values() -> set[str]:
    """Classes that are compared with ``tests/reference_values``, and the names of its files.

    A file has a method's name where its values are of a part of the loss.
    """
    files = list((TESTS / "reference_values").glob("*.npz"))
    return {_meta(file)["type"] for file in files} | {
        file.stem.rpartition("-")[0] for file in files
    }


@cache
def by_hand() -> dict[str, str]:
    """Class to the test that compares it with an independent version of the formula."""
    return _table(TESTS / "losses" / "test_reference_values.py", "BY_HAND")


def with_trajectory(losses: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Method to the repository whose training steps it is compared with.

    Args:
        losses: Of each method.
    """
    sources = {}
    for file in sorted((TESTS / "trajectories").glob("*.npz")):
        meta = _meta(file)
        name = file.stem.partition("-")[0]
        types = tuple(
            dict.fromkeys(
                kind for kind in _loss_types(meta["cls_kd"] or {}) if not kind.endswith("TaskLoss")
            )
        )
        methods = [name] if name in losses else [key for key in losses if losses[key] == types]
        for method in methods:
            sources.setdefault(method, meta["reference"]["repo"])
    return sources


def _meta(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as stored:
        return json.loads(str(stored["meta"]))


def _table(file: Path, name: str) -> dict[str, str]:
    """A dictionary of a test's, which is not imported: tests need more than the documentation."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return ast.literal_eval(node.value)
    raise LookupError(f"{file} has no {name}.")


def checks(method: str, losses: tuple[str, ...], trajectory: str | None) -> str:
    """How a method is checked, strongest first."""
    values, tests = with_reference_values(), by_hand()
    found = [f"training steps of {trajectory}"] if trajectory else []
    if any(name in values for name in (method, *losses)):
        found.append("reference values")
    hand = dict.fromkeys(tests[name] for name in losses if name in tests and name not in values)
    found += [f"by hand (`{test}`)" for test in hand]
    return "; ".join(found) or "none"


def tables() -> str:
    """A table for each family, and a list of what the others have and we do not."""
    frameworks = read_frameworks()
    losses = {method: losses_of(method) for method in known_methods()}
    trajectories = with_trajectory(losses)
    families: dict[str, list[str]] = defaultdict(list)
    for method, names in losses.items():
        families[_family(names)].append(method)
    blocks = []
    for family, (title, _) in FAMILIES.items():
        rows = [
            [
                f"`{method}`",
                *(_names(framework, method) for framework in frameworks.values()),
                checks(method, losses[method], trajectories.get(method)),
            ]
            for method in families[family]
        ]
        titles = ["method", *frameworks, "check of ours"]
        blocks.append(f"## {title}\n\n{markdown_table(titles, rows)}")
    return "\n".join([_summary(frameworks, losses), *blocks, _missing(frameworks)])


def _family(losses: tuple[str, ...]) -> str:
    """That of the first loss which is not one of logits: KD is a part of many methods."""
    modules = [getattr(cls_kd.losses, name).__module__ for name in losses]
    families = [module.removeprefix("cls_kd.losses.").partition(".")[0] for module in modules]
    return next((family for family in families if family != "logit"), "logit")


def _names(framework: Framework, method: str) -> str:
    return " ".join(f"`{name}`" for name, ours in framework.methods.items() if method in ours)


def _summary(frameworks: Mapping[str, Framework], losses: Mapping[str, Any]) -> str:
    rows = []
    for name, framework in frameworks.items():
        url = f"https://github.com/{framework.repository}/blob/{framework.commit}/{framework.list}"
        here, missing = len(framework.methods), len(framework.missing)
        listed = f"[{framework.repository}@{framework.commit}]({url})"
        rows.append([name, listed, str(here + missing), str(here)])
    rows.append(["cls_kd", "`configs/methods`", str(len(losses)), str(len(losses))])
    titles = ["framework", "list", "names there", "of these here"]
    return markdown_table(titles, rows, numbers=titles[2:])


def _missing(frameworks: Mapping[str, Framework]) -> str:
    rows = [
        [name, f"`{entry}`", reason]
        for name, framework in frameworks.items()
        for entry, reason in framework.missing.items()
    ]
    return f"## Not here\n\n{markdown_table(['framework', 'name there', 'reason'], rows)}"


def page(text: str) -> str:
    """The page with its tables anew."""
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:start]}\n{tables()}{text[end:]}"


if __name__ == "__main__":
    write_atomically(PAGE, page(PAGE.read_text(encoding="utf-8")))
