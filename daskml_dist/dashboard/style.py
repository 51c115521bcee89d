"""How pictures look: colours that everybody can tell apart on light and dark, and figures of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.models import CustomJSTickFormatter, FactorRange, HoverTool
from bokeh.plotting import figure

# Okabe and Ito, Color Universal Design, 2008; without the yellow, which thin lines cannot have
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#888888"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY)
DASHES = ("solid", "dashed", "dotted")

HEIGHT = 270
"""Pixels of a figure."""

WIDE = "@media (min-width: 720px) { :host { grid-column: span 2; } }"
"""The style of a panel that takes the place of two."""

_DOTS = 200  # rows up to which lines have dots
_BYTES = """
const units = ["B", "kB", "MB", "GB", "TB"]
let value = tick, unit = 0
while (Math.abs(value) >= 1000 && unit < 4) { value /= 1000; unit += 1 }
return `${+value.toPrecision(3)} ${units[unit]}`
"""

X_LABELS = {"passes": "passes over the data", "seconds": "seconds since the fit began"}


def plot(
    title: str,
    y_label: str,
    *,
    x_label: str = X_LABELS["passes"],
    tooltips: Sequence[tuple[str, str]] = (),
    log: bool = False,
    names: Sequence[str] | None = None,
    height: int = HEIGHT,
) -> Any:
    """A figure with labels, a tool bar that hides, and what the mouse finds; ``names`` go up the side."""
    options: dict[str, Any] = {
        "height": height,
        "min_width": 220,
        "sizing_mode": "stretch_width",
        "tools": "xpan,xwheel_zoom,box_zoom,reset,save",
        "output_backend": "canvas",
        "x_axis_label": x_label,
        "y_axis_label": y_label,
        "y_axis_type": "log" if log else "linear",
        "html_attributes": {"role": "img", "aria-label": title},
    }
    if names is not None:
        options |= {"y_range": FactorRange(factors=list(names)), "y_axis_type": "auto"}
    made: Any = figure(title=title, **options)
    made.toolbar.autohide = True
    if tooltips:
        made.add_tools(HoverTool(tooltips=list(tooltips)))
    made.title.text_font_size = "13px"
    for axis in (*made.xaxis, *made.yaxis):
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "11px"
    made.grid.grid_line_alpha = 0.4
    return made


def thin(dots: Sequence[Any], rows: int) -> None:
    """Leave out the dots of a line where they would only make it thick."""
    for dot in dots:
        if dot.visible != (rows <= _DOTS):
            dot.visible = rows <= _DOTS


def in_bytes(axis: Any) -> None:
    """Label an axis as ``words.size`` does: Bokeh's own formatter counts in 1024."""
    for one in axis:
        one.formatter = CustomJSTickFormatter(code=_BYTES)
        one.ticker.desired_num_ticks = 5


def legend_above(made: Any) -> None:
    """Move the legend out of the data, above them."""
    legend: Any = made.legend[0]
    legend.orientation, legend.border_line_color, legend.background_fill_alpha = "horizontal", None, 0.0
    legend.label_text_font_size, legend.padding, legend.margin, legend.spacing = "11px", 0, 2, 12
    legend.glyph_height = 14
    made.add_layout(legend, "above")
