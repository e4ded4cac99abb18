"""Files at the root of the repository, as pages of the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What a link in the repository leads to, and the page below docs/ that stands for it on the site.
PAGES = {
    "README.md": "index.md",
    "README.md#methods": "methods/index.rst",
    "cls_kd": "api/index.rst",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
_LINK = re.compile(r"\]\(((?!\w+:|#)[^)\s]+)\)")


def pages() -> dict[str, str]:
    """File name to text of every page in ``project/``."""
    return {
        posixpath.basename(page): with_site_links(
            (ROOT / file).read_text(encoding="utf-8"), folder="", page=page
        )
        for file, page in PAGES.items()
        if page.startswith("project/")
    }


def with_site_links(text: str, folder: str, page: str) -> str:
    """Text with its relative links rewritten for the site.

    Links are written for readers of the repository. On the site some files of the repository are
    pages, and a page may lie elsewhere than its source.

    Args:
        text: Markdown.
        folder: Where the text lies in the repository.
        page: The page on the site, relative to docs/.
    """

    def rewritten(match: re.Match[str]) -> str:
        link = posixpath.normpath(posixpath.join(folder, match[1]))
        file, hash_sign, anchor = link.partition("#")
        target = PAGES.get(link)
        if target is None:
            target = (PAGES.get(file) or posixpath.relpath(file, "docs")) + hash_sign + anchor
        return f"]({posixpath.relpath(target, posixpath.dirname(page) or '.')})"

    return _LINK.sub(rewritten, text)
