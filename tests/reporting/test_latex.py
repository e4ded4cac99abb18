"""The table in LaTeX: what it prints, and that its structure is sound."""

from __future__ import annotations

import re
from pathlib import Path

from cls_kd.reporting import make_report
from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.latex import escape, latex_table
from tests.reporting.fabricated import write_pair, write_run


def test_special_characters_are_escaped() -> None:
    assert escape("a_b & 50% #1 {x} $y^2~z\\\n<b>") == (
        r"a\_b \& 50\% \#1 \{x\} \$y\textasciicircum{}2\textasciitilde{}z\textbackslash{} "
        r"\textless{}b\textgreater{}"
    )


def table(root: Path) -> str:
    scores = {"ce": (80.0, 81.0), "k&d": (84.0, 84.5), "at_%": (84.25, 84.25)}
    for pair in ("a_b", "c"):
        write_pair(root / pair, scores)
        write_run(root / pair / "teacher", "teacher", 0, 97.0, parameters=9)
    write_run(root / "c" / "one", "one", 0, 70.0)
    return latex_table(
        [
            Experiment(pair, make_report(root / pair, baseline="ce", references=["teacher"]))
            for pair in ("a_b", "c")
        ]
    )


def test_the_table_of_two_pairs(tmp_path: Path) -> None:
    assert table(tmp_path) == (
        "% \\usepackage{booktabs} in the preamble.\n"
        "% Mean and sample standard deviation over seeds: test top-1 accuracy (\\%).\n"
        "\\begin{tabular}{lcc}\n"
        "\\toprule\n"
        "Method & a\\_b & c \\\\\n"
        "\\midrule\n"
        "teacher & $97.00$ & $97.00$ \\\\\n"
        "\\midrule\n"
        "ce & $80.50 \\pm 0.71$ & $80.50 \\pm 0.71$ \\\\\n"
        "at\\_\\% & $\\mathbf{84.25} \\pm 0.00$ & $\\mathbf{84.25} \\pm 0.00$ \\\\\n"
        "k\\&d & $\\mathbf{84.25} \\pm 0.35$ & $\\mathbf{84.25} \\pm 0.35$ \\\\\n"
        "one & -- & $70.00$ \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_braces_dollars_and_columns_match(tmp_path: Path) -> None:
    text = table(tmp_path)
    body = re.sub(r"^%.*\n", "", text, flags=re.M)
    plain = re.sub(r"\\[{}$&%#_]", "", body)
    assert plain.count("{") == plain.count("}")
    rows = [line for line in plain.splitlines() if line.endswith(r"\\")]
    assert all(line.count("&") == 2 and line.count("$") % 2 == 0 for line in rows)
    assert len(rows) == 6
