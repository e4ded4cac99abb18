"""The table of a report in LaTeX, as papers print it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cls_kd.files import write_atomically
from cls_kd.reporting.experiments import Experiment, methods_of
from cls_kd.reporting.tables import score_label

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def escape(text: str) -> str:
    """Text as LaTeX prints it: special characters escaped, line breaks as spaces."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def write_latex(path: Path, experiments: Sequence[Experiment]) -> None:
    """Write the table, see `latex_table`."""
    write_atomically(path, latex_table(experiments))


def latex_table(experiments: Sequence[Experiment]) -> str:
    """A ``tabular`` in the style of booktabs: one row a method, one column a pair.

    Cells are mean and sample standard deviation over seeds, of the scores that the report
    compares. The highest mean of a column is bold where higher is better; means that print alike
    are bold together. References stand above, methods below, the baseline first.
    """
    references = _references(experiments)
    methods = methods_of(experiments)
    labels = dict.fromkeys(
        score_label(experiment.column, experiment.report.collected.metric)
        for experiment in experiments
    )
    titles = " & ".join(["Method", *(escape(experiment.pair) for experiment in experiments)])
    groups = [[_row(name, experiments) for name in names] for names in (references, methods)]
    body = "\\midrule\n".join("".join(rows) for rows in groups if rows)
    return (
        "% \\usepackage{booktabs} in the preamble.\n"
        f"% Mean and sample standard deviation over seeds: {escape('; '.join(labels))}.\n"
        f"\\begin{{tabular}}{{l{'c' * len(experiments)}}}\n"
        f"\\toprule\n{titles} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
    )


def _references(experiments: Sequence[Experiment]) -> list[str]:
    names = (name for experiment in experiments for name in experiment.report.comparison.references)
    return list(dict.fromkeys(names))


def _row(name: str, experiments: Sequence[Experiment]) -> str:
    cells = " & ".join([escape(name), *(_cell(name, experiment) for experiment in experiments)])
    return f"{cells} \\\\\n"


def _cell(name: str, experiment: Experiment) -> str:
    summary = experiment.summary.set_index("run")
    if name not in summary.index or pd.isna(summary.loc[name, "mean"]):
        return "--"
    mean, deviation = f"{summary.loc[name, 'mean']:.2f}", summary.loc[name, "std"]
    if name in experiment.compared and mean == _highest(experiment):
        mean = f"\\mathbf{{{mean}}}"
    spread = "" if pd.isna(deviation) else f" \\pm {deviation:.2f}"
    return f"${mean}{spread}$"


def _highest(experiment: Experiment) -> str:
    """The highest mean of the compared methods, as it is printed; empty where none is best."""
    means = experiment.summary.set_index("run").loc[experiment.compared, "mean"]
    if not experiment.report.collected.metric.percent or len(means) < 2:
        return ""
    return f"{means.max():.2f}"
