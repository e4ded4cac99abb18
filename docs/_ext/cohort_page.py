"""The table of docs/cohorts.md: which methods are trained together with which, and why not.

``python docs/_ext/cohort_page.py`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.markdown import markdown_table
from cls_kd.runs.cohorts import Grouping, group
from cls_kd.runs.compose import known_methods, load_config
from cls_kd.runs.planning import expand
from cls_kd.runs.run import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cohorts.md"
PAIR = ROOT / "configs" / "pairs" / "cifar100" / "resnet32x4_resnet8x4.py"
BRANCHES = ROOT / "configs" / "digits" / "branches.py"
BEGIN, END = "<!-- cohorts:begin -->", "<!-- cohorts:end -->"
ALL = 10**6


@dataclass(frozen=True)
class Planned:
    """A method as a run of a pair's config.

    Attributes:
        run: The run, in a folder named after the method.
        note: What it needs beside the pair; empty if nothing.
    """

    run: Run
    note: str = ""


def planned(method: str) -> Planned:
    """The run of a method on ResNet32x4 to ResNet8x4, or of branches where it is for these."""
    note = ""
    try:
        cfg = load_config(PAIR, method=method)
    except UserError:
        cfg, note = load_config(BRANCHES, method=method), "a student of several branches"
    run = expand(cfg, Path(method))[-1]
    losses = run.cfg.model.losses.to_dict()
    asked = {
        name for term in build_terms(losses, build_loss).values() for name in term.loss.signals
    }
    if any(name.startswith("all_teacher_") for name in asked):
        note = "several teachers"
    return Planned(Run(method, run.seed, run.cfg, Path(method)), note)


def rows(methods: Iterator[str]) -> Iterator[list[str]]:
    """Method, with what it is trained together, and why not with KD."""
    runs = {method: planned(method) for method in methods}
    of_pair = [entry.run for entry in runs.values() if not entry.note]
    grouping = group(of_pair, max_members=ALL)
    cohorts = {
        run.name: [other.name for other in members]
        for members in grouping.groups
        for run in members
    }
    for method, entry in runs.items():
        if entry.note:
            yield [f"`{method}`", f"methods of {entry.note} on the same data", entry.note]
            continue
        others = [name for name in cohorts[method] if name != method]
        if "kd" in cohorts[method]:
            yield [f"`{method}`", f"KD and {len(others) - (method != 'kd')} others", ""]
            continue
        yield [
            f"`{method}`",
            ", ".join(f"`{name}`" for name in others) or "runs of its own",
            reason(entry.run, runs["kd"].run, grouping),
        ]


def reason(run: Run, kd: Run, grouping: Grouping) -> str:
    """Parts in which a run differs from KD's."""
    alone = group([kd, run], max_members=ALL).reasons.get(run.work_dir, "")
    return alone.partition(" in its ")[2] or grouping.reasons.get(run.work_dir, "")


def table() -> str:
    """The table of all methods, in Markdown."""
    titles = ["method", "is trained together with", "differs from KD in"]
    return markdown_table(titles, list(rows(iter(sorted(known_methods())))))


def page(text: str) -> str:
    """The page with the table as it is now.

    Args:
        text: The page.
    """
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    write_atomically(PAGE, page(PAGE.read_text(encoding="utf-8")))
