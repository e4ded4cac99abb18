"""Scripts, styles and pictures within the page, which needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import itables.options
import vl_convert
from markupsafe import Markup

_CLIP = re.compile(r"\bclip\d+\b")
_GEOMETRY = re.compile(r'\b(?:d|transform|x2|y2|width|height)="[^"]*"')
_LONG = re.compile(r"(\.\d\d)\d+")


def json_text(value: Any) -> Markup:
    """A value as JSON within a ``<script>``: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def packed(source: str) -> str:
    """A script, compressed by gzip and in base64: a third of its bytes.

    Every browser since 2023 unpacks it (``DecompressionStream``). No time is written into it.
    """
    return base64.b64encode(gzip.compress(source.encode(), mtime=0)).decode()


@cache
def vega_source() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, see `packed`."""
    return packed(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # its stub has no default


@cache
def datatables_source() -> str:
    """DataTables with its extensions in one module, see `packed`."""
    return packed(Path(itables.options.dt_bundle).read_text(encoding="utf-8"))


@cache
def datatables_style() -> Markup:
    """The style sheet of DataTables."""
    return Markup(Path(itables.options.dt_bundle).with_suffix(".css").read_text(encoding="utf-8"))


def picture(name: str, spec: dict[str, Any]) -> Markup:
    """A plot as SVG.

    Args:
        name: Makes ids within the picture unique on the page.
        spec: In Vega-Lite, with a fixed width.
    """
    svg = vl_convert.vegalite_to_svg(spec)
    # Vega counts clipping paths over the whole process: the same plot would get other bytes.
    clips = dict.fromkeys(_CLIP.findall(svg))
    names = {clip: f"{name}-{index}" for index, clip in enumerate(clips)}
    svg = _CLIP.sub(lambda match: names[match.group()], svg)
    # A hundredth of a pixel is enough; more digits are half of the picture's bytes.
    return Markup(_GEOMETRY.sub(lambda match: _LONG.sub(r"\1", match.group()), svg))
