"""Private attributes of other packages are used in two modules, and where nothing else would do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "cls_kd"
DOORS = {"engine/compat.py", "adapters/internals.py"}
ALLOWED = {
    # PyTorch's counter of writes to a tensor, and its operations on lists, have no other names.
    ("signals/recorder.py", "_version"),
    ("models/split_backbone.py", "_version"),
    ("optimizers/separate.py", "_foreach_add"),
    ("optimizers/separate.py", "_foreach_add_"),
    ("optimizers/separate.py", "_foreach_mul_"),
    # `nn.Module._apply` is what moves a module; the teachers are none of the distiller's.
    ("core/distiller.py", "_apply"),
    ("core/stored_teacher.py", "_apply"),
    # A method of the head, which the classifiers of mmpretrain call too; `models` imports no door.
    ("models/multi_branch.py", "_get_predictions"),
    # Public functions of the standard library.
    ("engine/export/report.py", "_asdict"),
    ("cli/failures.py", "_exit"),
    ("engine/worker_executor.py", "_exit"),
}
"""File and attribute."""


def private_attributes(file: Path) -> Iterator[str]:
    """Names of others, as attributes or imported, that begin with one underscore."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                continue
            case ast.Attribute(attr=name):
                names = [name]
            case ast.ImportFrom(module=str(module)) if not module.startswith("cls_kd"):
                names = [alias.name for alias in node.names]
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"),
                args=[owner, ast.Constant(value=str(name)), *_],
            ) if not isinstance(owner, ast.Name) or owner.id != "self":
                names = [name]
            case _:
                continue
        yield from (name for name in names if name.startswith("_") and name[1:2] != "_")


def uses() -> set[tuple[str, str]]:
    files = (file for file in PACKAGE.rglob("*.py") if not file.is_relative_to(PACKAGE / "configs"))
    named = ((file.relative_to(PACKAGE).as_posix(), file) for file in files)
    return {(name, use) for name, file in named for use in private_attributes(file)}


def test_private_attributes_stay_behind_their_doors() -> None:
    outside = {(name, use) for name, use in uses() if name not in DOORS}
    assert outside == ALLOWED


def test_the_doors_are_needed() -> None:
    assert {name for name, _ in uses()} >= DOORS
