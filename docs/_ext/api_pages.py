"""Pages of the API reference: what each package of cls_kd exports, from its docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from restructured_text import heading, join, table

import cls_kd
from cls_kd.losses import DistillLoss

# Modules that stand for themselves: no package exports what they hold.
_MODULES = ("errors", "registry")


class MissingDocstringError(ValueError):
    """Something public has no docstring."""


def pages() -> dict[str, str]:
    """File name to text of every page.

    Raises:
        MissingDocstringError: Something that a package exports has none; all are named.
    """
    packages = [
        importlib.import_module(f"{cls_kd.__name__}.{module.name}")
        for module in pkgutil.iter_modules(cls_kd.__path__)
        if module.ispkg or module.name in _MODULES
    ]
    undocumented = sorted(
        {
            f"{module.__name__}.{name}"
            for package in packages
            for module in _with_subpackages(package)
            for name, value in exports(module).items()
            if _has_docstring_of_its_own(value) and not inspect.getdoc(value)
        }
    )
    if undocumented:
        raise MissingDocstringError(f"Without a docstring: {', '.join(undocumented)}.")
    texts = {f"{_short(package)}.rst": _page(package) for package in packages}
    return {"index.rst": _index(packages), **texts}


def exports(module: ModuleType) -> dict[str, Any]:
    """Names that a module declares as public, with what they stand for."""
    defined = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    names = getattr(module, "__all__", defined)
    return {name: getattr(module, name) for name in sorted(names)}


def _with_subpackages(package: ModuleType) -> list[ModuleType]:
    """The package, and packages below it that export what it does not."""
    known = set(exports(package))
    below = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(getattr(package, "__path__", ()))
        if module.ispkg
    ]
    return [package, *(module for module in below if not set(exports(module)) <= known)]


def _has_docstring_of_its_own(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def _short(module: ModuleType) -> str:
    return module.__name__.removeprefix(f"{cls_kd.__name__}.")


def _summary(value: Any) -> str:
    return (inspect.getdoc(value) or "").partition("\n")[0]


def _index(packages: list[ModuleType]) -> str:
    rows = [
        [f":doc:`{package.__name__} <{_short(package)}>`", _summary(package)]
        for package in packages
    ]
    return join(
        heading("API reference"),
        "What each package exports. Everything else is internal and may change without notice.",
        table(["package", "what it holds"], rows, [30, 70]),
        ".. toctree::\n   :hidden:\n\n"
        + "\n".join(f"   {_short(package)}" for package in packages),
    )


def _page(package: ModuleType) -> str:
    first, *others = _with_subpackages(package)
    blocks = [
        heading(package.__name__),
        f".. automodule:: {package.__name__}\n   :no-members:",
        _members(first),
    ]
    for module in others:
        blocks += [
            heading(module.__name__, 1),
            f".. automodule:: {module.__name__}\n   :no-members:",
            _members(module),
        ]
    return join(*blocks)


def _members(module: ModuleType) -> str:
    names = {
        name: value for name, value in exports(module).items() if not is_repeated(module, value)
    }
    methods = [name for name, value in names.items() if _is_method(value)]
    blocks = [_directive(module, name, names[name]) for name in names if name not in methods]
    if methods:
        links = ", ".join(f":class:`~{module.__name__}.{name}`" for name in methods)
        blocks += ["Every loss has a page of its own: " + links + "."]
    return "\n\n".join(blocks)


def is_repeated(module: ModuleType, value: Any) -> bool:
    """Whether a name is that of another package of cls_kd, whose page documents it."""
    home = str(getattr(value, "__module__", module.__name__))
    if not home.startswith(f"{cls_kd.__name__}.") or home.startswith(module.__name__):
        return False
    package = importlib.import_module(".".join(home.split(".")[:2]))
    return package is not module and value in exports(package).values()


def _is_method(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, DistillLoss) and value is not DistillLoss


def _directive(module: ModuleType, name: str, value: Any) -> str:
    path = f"{module.__name__}.{name}"
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, Exception) else "autoclass"
        # The fields of a named tuple are described in its docstring, under Attributes.
        fields = ", ".join(getattr(value, "_fields", ()))
        signature = f"({fields})\n   :exclude-members: {fields}" if fields else ""
        return f".. {kind}:: {path}{signature}\n   :members:\n   :show-inheritance:"
    if inspect.isroutine(value):
        return f".. autofunction:: {path}"
    kind = type(value)
    type_name = (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    )
    return f".. py:data:: {path}\n   :type: {type_name}"
