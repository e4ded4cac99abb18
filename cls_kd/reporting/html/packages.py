"""Check of the packages that the page needs."""

from __future__ import annotations

from cls_kd.packages import require


def check_packages() -> None:
    """Refuse a page whose packages are not installed.

    Raises:
        UserError: Says what to install.
    """
    require(
        "altair",
        "itables",
        "jinja2",
        "vl_convert",
        by="The HTML report",
        install="'cls_kd[report]'",
        otherwise="Without --html, the report is written as Markdown, CSV and PNG, and with "
        "--latex in LaTeX.",
    )
