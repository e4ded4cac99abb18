"""Which keyword arguments a class or a function takes, read from its signature and its source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Keywords:
    """The keyword arguments that a class or a function takes.

    Attributes:
        names: Those with a name.
        others: Whether it takes further ones, of any name.
        required: Those without a default, as far as they are certain.
    """

    names: frozenset[str]
    others: bool = False
    required: frozenset[str] = frozenset()


@cache
def keywords(target: Callable[..., Any]) -> Keywords:
    """The keyword arguments that a class or a function takes.

    ``**kwargs`` that a constructor only passes to ``super().__init__`` stands for the arguments of
    the next constructor in the method resolution order. Any other use of it means that every name
    may be right.
    """
    if not inspect.isclass(target):
        return _of_function(target)
    constructors = [vars(kind)["__init__"] for kind in target.__mro__ if "__init__" in vars(kind)]
    if constructors[0] is object.__init__:
        return _of_function(target)
    return _of_constructors(constructors)


def _of_function(function: Callable[..., Any]) -> Keywords:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return Keywords(frozenset(), others=True)
    others = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = [parameter for parameter in parameters if parameter.kind in _NAMED]
    required = frozenset(
        parameter.name for parameter in named if parameter.default is parameter.empty
    )
    return Keywords(frozenset(parameter.name for parameter in named), others, required)


def _of_constructors(constructors: Sequence[Callable[..., Any]]) -> Keywords:
    first, rest = constructors[0], constructors[1:]
    if first is object.__init__:
        return Keywords(frozenset())
    direct = _of_function(first)
    # The first parameter is the object itself.
    names, required = direct.names - {"self"}, direct.required - {"self"}
    if not direct.others:
        return Keywords(names, required=required)
    above = _of_constructors(rest) if rest else Keywords(frozenset(), others=True)
    given = _given_beside_kwargs(first)
    if given is None:
        return Keywords(names | above.names, others=True, required=required)
    return Keywords(names | (above.names - given), above.others, required)


def _given_beside_kwargs(constructor: Callable[..., Any]) -> frozenset[str] | None:
    """Names given in ``super().__init__(..., **kwargs)``; None if kwargs goes elsewhere."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(constructor))).body
    except (OSError, SyntaxError, TypeError):
        return None
    if not isinstance(tree, ast.FunctionDef) or tree.args.kwarg is None:
        return None
    kwargs = tree.args.kwarg.arg
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_super(node)]
    passing = [call for call in calls if kwargs in _unpacked(call)]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == kwargs]
    if len(passing) != 1 or len(uses) != 1:
        return None
    return frozenset(keyword.arg for keyword in passing[0].keywords if keyword.arg is not None)


def _is_super(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == "super"
    )


def _unpacked(call: ast.Call) -> list[str]:
    return [
        keyword.value.id
        for keyword in call.keywords
        if keyword.arg is None and isinstance(keyword.value, ast.Name)
    ]
