"""Write the generated pages before Sphinx looks for its sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import api_pages
import method_pages
import project_pages
from api_pages import MissingDocstringError
from loss_docstrings import IncompleteDocstringError
from sphinx.application import Sphinx
from sphinx.errors import SphinxError


class DocstringError(SphinxError):
    """The build stops, with the names and without a traceback."""

    category = "Docstrings"


def write_pages(folder: Path, pages: dict[str, str]) -> None:
    """Make a folder hold these pages and nothing else; what has not changed is not touched."""
    folder.mkdir(exist_ok=True)
    for stale in {path.name for path in folder.iterdir()} - set(pages):
        path = folder / stale
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def generate(app: Sphinx) -> None:
    """Write ``methods/``, ``api/`` and ``project/``.

    Raises:
        DocstringError: A docstring lacks a section, or there is none.
    """
    source = Path(app.srcdir)
    try:
        write_pages(source / "methods", method_pages.pages())
        write_pages(source / "api", api_pages.pages())
        write_pages(source / "project", project_pages.pages())
    except (IncompleteDocstringError, MissingDocstringError) as error:
        raise DocstringError(str(error)) from error


def setup(app: Sphinx) -> dict[str, Any]:
    """Run when the builder is ready, before the sources are listed."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
