"""Style of figures: palette, axes, and writing them to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cls_kd.files import replace_atomically

# Colors that people with common color vision deficiencies tell apart (Okabe and Ito 2008), and a
# brown.
BLUE, RED, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, LIGHT_BLUE, BROWN = "#E69F00", "#56B4E9", "#8C510A"
DARK_GRAY, GRAY, BLACK = "#555555", "#999999", "#000000"
PALETTE = (BLUE, RED, GREEN, PINK, ORANGE, LIGHT_BLUE, BROWN)
VERDICT_COLORS = {"better": GREEN, "worse": RED, "higher": BLUE, "lower": ORANGE}

DPI = 150
_LINE_STYLES = ("-", "--", ":", "-.")


def color_of(index: int) -> str:
    """Color of the series with that index; they repeat after the palette."""
    return PALETTE[index % len(PALETTE)]


def line_of(index: int) -> dict[str, Any]:
    """Color and line style of the series with that index, for ``Axes.plot``: 28 are distinct."""
    style = _LINE_STYLES[index // len(PALETTE) % len(_LINE_STYLES)]
    return {"color": color_of(index), "linestyle": style}


def write_figure(path: Path, size: tuple[float, float], draw: Callable[[Figure], None]) -> None:
    """Draw on an empty figure and write it as PNG, atomically.

    Args:
        path: Where to write.
        size: Width and height in inches.
        draw: Is called with the figure.
    """
    # No pyplot: it would keep the figure, and choose a window, for the whole process.
    canvas = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(canvas)
    draw(canvas)
    replace_atomically(path, lambda temporary: canvas.savefig(temporary, format="png", dpi=DPI))


def tidy(axes: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """No frame on top and right; a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        axes.grid(axis=grid, alpha=0.25)
        axes.set_axisbelow(True)


def rows(axes: Axes, names: list[str]) -> None:
    """One row a name on the vertical axis, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def whole_numbers(axes: Axes) -> None:
    """Ticks of the horizontal axis at whole numbers only: epochs, generations."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
