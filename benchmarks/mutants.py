#!/usr/bin/env python
"""Change one expression of cls_kd at a time, and see whether a test fails.

python benchmarks/mutants.py map                        the whole suite once, with coverage
python benchmarks/mutants.py run --number 200 --seed 0  draws, tries and lists the mutants

It needs pytest-cov, which is not among the requirements: pip install pytest-cov.

`map` notes for each line which tests execute it, and how long each test takes. `run` draws mutants
from all places of cls_kd in which an expression can be changed:

    comparison   `<` and `<=`, `==` and `!=`, `is` and `is not`, `in` and `not in` change places
    operator     `+` and `-`, `*` and `/`, `and` and `or` change places; `not x` becomes `x`
    constant     a number n becomes n + 1
    flag         `True` and `False` change places

Annotations are left out, as nothing executes them. Each mutant is tried in a copy of the
repository, in a process of its own, on the tests that execute its line: first on a fast one of each
test file, then on all others, until one fails. A line that is executed when its module is imported
is tried on the tests that execute anything in its file. A mutant that outlives them is listed with
its place, before and after; one that no test executes is listed as not covered. A test that hangs
counts as a failure, as it would in the suite.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}
# Of two tests that execute a line, each file's fastest is tried first.
FIRST_TESTS = 40


@dataclass(frozen=True)
class Mutant:
    """A change of one expression: where it stands, and the text before and after."""

    path: str
    line: int
    kind: str
    before: str
    after: str
    start: int
    end: int

    def apply(self, source: bytes) -> bytes:
        """The source with the change; parentheses keep the expression in one piece."""
        return source[: self.start] + f"({self.after})".encode() + source[self.end :]


def changed(node: ast.AST) -> tuple[str, ast.expr] | None:
    """The kind of change and the changed expression, or None where a node cannot be changed."""
    other = copy.deepcopy(node)
    if isinstance(other, ast.Compare) and type(other.ops[0]) in COMPARISONS:
        other.ops[0] = COMPARISONS[type(other.ops[0])]()
        return "comparison", other
    if isinstance(other, ast.BinOp) and type(other.op) in OPERATORS:
        other.op = OPERATORS[type(other.op)]()
        return "operator", other
    if isinstance(other, ast.BoolOp):
        other.op = ast.Or() if isinstance(other.op, ast.And) else ast.And()
        return "operator", other
    if isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.Not):
        return "operator", other.operand
    if isinstance(other, ast.Constant) and isinstance(other.value, bool):
        return "flag", ast.Constant(not other.value)
    if isinstance(other, ast.Constant) and isinstance(other.value, (int, float)):
        return "constant", ast.Constant(other.value + 1)
    return None


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below a node but annotations and f-strings, whose texts cannot be replaced."""
    left_out: set[int] = set()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        left_out = {id(node.returns)}
    elif isinstance(node, (ast.arg, ast.AnnAssign)):
        left_out = {id(node.annotation)}
    for child in ast.iter_child_nodes(node):
        if id(child) not in left_out and not isinstance(child, ast.JoinedStr):
            yield child
            yield from executed(child)


def mutants_of(path: Path) -> list[Mutant]:
    """All mutants of a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    mutants = []
    for node in executed(ast.parse(source)):
        change = changed(node)
        if change is None or not isinstance(node, ast.expr) or node.end_lineno is None:
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + (node.end_col_offset or 0)
        name = path.relative_to(ROOT).as_posix()
        before, after = source[start:end].decode(), ast.unparse(change[1])
        mutants.append(Mutant(name, node.lineno, change[0], before, after, start, end))
    return mutants


def all_mutants() -> list[Mutant]:
    """All mutants of the package; configs are data."""
    files = sorted((ROOT / "cls_kd").rglob("*.py"))
    files = [file for file in files if "configs" not in file.relative_to(ROOT).parts]
    return [mutant for file in files for mutant in mutants_of(file)]


def write_map(folder: Path, processes: int) -> None:
    """Run the suite once; write coverage by test and the durations of the tests."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, OMP_NUM_THREADS="1", COVERAGE_FILE=str(folder / "coverage"))
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--dist", "worksteal"]
    command += ["--cov=cls_kd", "--cov-context=test", "--cov-report="]
    command += [f"--junitxml={folder / 'durations.xml'}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=False)


def read_durations(file: Path) -> dict[str, float]:
    """Seconds of each test by its class and name, as JUnit's file has them."""
    cases = ElementTree.parse(file).getroot().iter("testcase")
    return {
        f"{case.get('classname')}::{case.get('name')}": float(case.get("time", 0)) for case in cases
    }


class TestsByLine:
    """The tests that execute a line, fastest first."""

    def __init__(self, folder: Path) -> None:
        from coverage import CoverageData

        self.data = CoverageData(basename=str(folder / "coverage"))
        self.data.read()
        self.durations = read_durations(folder / "durations.xml")
        self.files = {
            Path(name).relative_to(ROOT).as_posix(): name for name in self.data.measured_files()
        }

    def of(self, mutant: Mutant) -> list[str]:
        """Tests that execute the mutant's line, or its file where only an import does."""
        if mutant.path not in self.files:
            return []
        lines = self.data.contexts_by_lineno(self.files[mutant.path])
        tests = _tests(lines.get(mutant.line, []))
        if not tests and "" in lines.get(mutant.line, []):
            tests = _tests([context for contexts in lines.values() for context in contexts])
        return sorted(tests, key=self.duration)

    def duration(self, test: str) -> float:
        """Seconds of a test; a test without a figure comes last."""
        file, _, name = test.partition("::")
        return self.durations.get(f"{file.removesuffix('.py').replace('/', '.')}::{name}", 1e3)


def _tests(contexts: list[str]) -> set[str]:
    return {context.rpartition("|")[0] for context in contexts if "|" in context}


def in_turn(tests: list[str]) -> list[list[str]]:
    """A fast test of each file, then the others."""
    by_file = defaultdict(list)
    for test in tests:
        by_file[test.partition("::")[0]].append(test)
    first = [names[0] for names in by_file.values()][:FIRST_TESTS]
    chosen = set(first)
    rest = [test for test in tests if test not in chosen]
    return [part for part in (first, rest) if part]


def _pytest(folder: str, tests: list[str]) -> None:
    """Run tests in a forked process that has imported the heavy packages already."""
    import pytest

    os.chdir(folder)
    os.setpgrp()
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = folder
    with open(os.devnull, "w") as silence:
        os.dup2(silence.fileno(), 1)
        os.dup2(silence.fileno(), 2)
    code = pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests])
    os._exit(int(code))


def fails(folder: Path, tests: list[str], seconds: float) -> bool:
    """Whether one of the tests fails, or takes far longer than it should."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_pytest, args=(str(folder), tests))
    process.start()
    process.join(60 + 10 * seconds)
    if process.is_alive():
        os.killpg(process.pid or 0, 9)
        process.join()
        return True
    return process.exitcode != 0


def attempt(mutant: Mutant, tests: TestsByLine, folder: Path) -> str:
    """`killed`, `survived`, `not covered`; the folder is a copy of the repository."""
    names = tests.of(mutant)
    if not names:
        return "not covered"
    file = folder / mutant.path
    source = file.read_bytes()
    file.write_bytes(mutant.apply(source))
    try:
        for part in in_turn(names):
            if fails(folder, part, sum(min(tests.duration(name), 60) for name in part)):
                return "killed"
    finally:
        file.write_bytes(source)
    return "survived"


def attempt_all(mutants: list[Mutant], tests: TestsByLine, folder: Path, results: Path) -> None:
    """Try mutants one after the other; each result is a line of a file that the processes share."""
    for mutant in mutants:
        start = time.perf_counter()
        row = {"mutant": asdict(mutant), "result": attempt(mutant, tests, folder)}
        with results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(_line(mutant, row["result"]), f"{time.perf_counter() - start:.0f} s", flush=True)


def copy_of_repository(folder: Path) -> Path:
    """The tracked files in another folder."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    # Tests of documents ask git for the tracked files.
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


def run(arguments: argparse.Namespace) -> None:
    """Draw mutants, try them, and print the table."""
    import mmengine  # noqa: F401
    import mmpretrain  # noqa: F401
    import pytest  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import torch

    torch.set_num_threads(1)
    drawn = random.Random(arguments.seed).sample(all_mutants(), arguments.number)
    tests = TestsByLine(arguments.map)
    done: dict[str, str] = {}
    if arguments.results.exists():
        done = {json.dumps(row["mutant"]): row["result"] for row in _rows(arguments.results)}
    waiting = [mutant for mutant in drawn if json.dumps(asdict(mutant)) not in done]
    with tempfile.TemporaryDirectory() as temporary:
        copies = [copy_of_repository(Path(temporary) / str(job)) for job in range(arguments.jobs)]
        # Processes, not threads: each forks again, which is safe from a single thread only.
        context = multiprocessing.get_context("fork")
        processes = [
            context.Process(
                target=attempt_all,
                args=(waiting[job :: arguments.jobs], tests, copy, arguments.results),
            )
            for job, copy in enumerate(copies)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    report(drawn, arguments.results)


def _rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _line(mutant: Mutant, result: str) -> str:
    before = " ".join(mutant.before.split())
    return f"{result:12} {mutant.path}:{mutant.line} {mutant.kind}: {before} -> {mutant.after}"


def report(drawn: list[Mutant], file: Path) -> None:
    """Print the count of each result and the mutants that no test noticed."""
    results = {json.dumps(row["mutant"]): row["result"] for row in _rows(file)}
    rows = [(mutant, results[json.dumps(asdict(mutant))]) for mutant in drawn]
    print()
    for mutant, result in sorted(rows, key=lambda row: (row[1], row[0].path, row[0].line)):
        if result != "killed":
            print(_line(mutant, result))
    killed = sum(result == "killed" for _, result in rows)
    print(f"\n{killed} of {len(rows)} mutants make a test fail ({100 * killed / len(rows):.1f} %).")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("map", "run"):
        command = commands.add_parser(name)
        command.add_argument("--map", type=Path, default=ROOT / "work_dirs/mutants")
        command.add_argument("--jobs", type=int, default=2)
    command.add_argument("--number", type=int, default=200)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--results", type=Path, default=ROOT / "work_dirs/mutants/results.jsonl")
    arguments = parser.parse_args()
    if arguments.command == "map":
        write_map(arguments.map, arguments.jobs)
    else:
        run(arguments)


if __name__ == "__main__":
    main()
