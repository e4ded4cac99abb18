"""Links between pages, and from types to the packages that this site does not document."""

from __future__ import annotations

import pkgutil
import posixpath
from typing import Any

from docutils import nodes
from project_pages import with_site_links
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def redirect(app: Sphinx, name: str, source: list[str]) -> None:
    """Point links to files of the repository that are pages of the site to these pages."""
    if str(app.env.doc2path(name)).endswith(".md") and not name.startswith("project/"):
        page = f"{name}.md"
        source[0] = with_site_links(source[0], posixpath.dirname(f"docs/{page}"), page)


def plain_text(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Show a Python name that exists, but is not documented here, without a link.

    A name that cannot be imported stays unresolved, which fails the build.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    # "Returns:" takes the text before a colon for a type, also where it is the begin of a sentence.
    if " " in target:
        return content
    # An annotation that autodoc cannot evaluate arrives in pieces: "dict[str", "Run]".
    name = target.partition("[")[0].rstrip("]")
    names = (name, f"{node.get('py:module')}.{name}", f"builtins.{name}")
    return content if any(_exists(name) for name in names) else None


def _exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both."""
    app.connect("source-read", redirect)
    app.connect("missing-reference", plain_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
