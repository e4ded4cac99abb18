"""Check of the packages that the page needs."""

from __future__ import annotations

from importlib import import_module

from cls_kd.errors import UserError

_PACKAGES = ("altair", "itables", "jinja2", "vl_convert")


def check_packages() -> None:
    """Refuse a page whose packages are not installed.

    Raises:
        UserError: Says what to install.
    """
    for name in _PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"The HTML report needs the package {error.name}: "
                'pip install "cls_kd[report]". Without --html, the report is written as Markdown, '
                "CSV and PNG, and with --latex in LaTeX."
            ) from error
