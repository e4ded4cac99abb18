"""Formulas as MathML, made at build: the site needs neither a network nor a script for them."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def to_mathml(latex: str, display: str) -> str:
    """MathML of a formula.

    Raises:
        ValueError: The formula holds a command that the converter does not know.
    """
    try:
        markup = convert(latex, display=display)
    except Exception as error:
        # The converter's own errors have no common base.
        raise ValueError(f"no formula: {latex!r} ({type(error).__name__})") from error
    # An unknown command is passed through as text.
    if "\\" in markup:
        raise ValueError(f"an unknown command in the formula {latex!r}")
    return markup


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula within text."""
    translator.body.append(_markup(node, "inline"))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula of its own line, which scrolls where it is wider than the page."""
    translator.body.append(f'<div class="math-block">{_markup(node, "block")}</div>\n')
    raise nodes.SkipNode


def _markup(node: nodes.Node, display: str) -> str:
    try:
        return to_mathml(node.astext(), display)
    except ValueError as error:
        logger.warning(str(error), location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer as ``html_math_renderer = 'mathml'``."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
