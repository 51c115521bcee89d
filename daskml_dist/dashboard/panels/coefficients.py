"""The largest coefficients on their way, and how sure they are where they are now."""

from __future__ import annotations

from itertools import product
from math import nan
from typing import Any, final

from bokeh.core.properties import value
from bokeh.layouts import row
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.models.annotations import Legend, LegendItem, Title

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.series import Series
from daskml_dist.dashboard.style import COLOURS, DASHES, GREY, HEIGHT, WIDE, X_LABELS, plot
from daskml_dist.dashboard.words import short

MOST = 20
"""Lines; each has a colour and a dash of its own."""

SURE = 1.96
"""Standard errors on either side of an interval of 95 %."""

_SLOTS = [f"c{i}" for i in range(MOST)]
_LOOKS: list[dict[str, Any]] = [
    {"color": colour, "line_dash": dash, "line_width": 2} for dash, colour in product(DASHES, COLOURS)
][:MOST]
_NOW = ("at", "name", "value", "error", "low", "high", "bottom", "top", "colour")
_FAR = 1.0  # times the range of the newest values: so far beyond them an interval is drawn


@final
class Movement(Panel):
    """A line for each of the largest coefficients: signs, sparsity, and mistakes of units show here first.

    Beside the end of the lines, at the same height, each has its interval: one that contains zero says that
    not even the sign is sure.
    """

    name, title = "coefficients", "Coefficients"

    def build(self) -> None:
        self.lines, self.now = self._lines(), self._intervals()
        self.root = row(self.moving, self.sure, sizing_mode="stretch_width", stylesheets=[WIDE])
        self._names: list[str | None] = [None] * MOST
        self._seen: tuple[int, int, int] = (0, -1, 0)

    def _lines(self) -> list[Any]:
        """The picture of what has been."""
        self.moving = made = plot("The largest coefficients", "coefficient", height=HEIGHT + 70)
        self.source = ColumnDataSource({name: [] for name in ("passes", "seconds", *_SLOTS)})
        source: Any = self.source
        lines = [
            made.line("passes", slot, source=source, visible=False, **look)
            for slot, look in zip(_SLOTS, _LOOKS, strict=True)
        ]
        made.add_tools(
            HoverTool(renderers=lines, tooltips=[("passes", "@passes"), ("value", "$snap_y{0.0000}")])
        )
        made.hspan(y=[0.0], line_color=GREY, line_alpha=0.6)
        return lines

    def _intervals(self) -> Any:
        """The picture of what is now, with the names of the lines beside it; the source of its whiskers."""
        tips = [("", "@name"), ("value", "@value{0.0000}"), ("standard error", "@error{0.0000}")]
        tips.append(("95 %", "@low{0.0000} to @high{0.0000}"))
        self.sure = made = plot("", "", x_label="now", tooltips=tips, height=HEIGHT + 70)
        made.y_range, made.x_range = self.moving.y_range, Range1d(start=-1, end=MOST)
        made.yaxis.visible, made.xgrid.visible, made.toolbar_location = False, False, None
        made.xaxis.ticker = []
        now = ColumnDataSource({name: [] for name in _NOW})
        source: Any = now
        made.segment("at", "bottom", "at", "top", source=source, color="colour", line_width=2)
        made.scatter("at", "value", source=source, color="colour", size=5)
        made.hspan(y=[0.0], line_color=GREY, line_alpha=0.6)
        keys = [made.line([nan], [nan], **look) for look in _LOOKS]
        self.items = [LegendItem(label=value(""), renderers=[key], visible=False) for key in keys]
        made.add_layout(_legend(self.items), "right")
        self.note = Title(text="", text_font_size="11px", text_font_style="normal", text_color=GREY)
        self.moving.add_layout(self.note, "above")
        for half in (self.moving, made):  # so that heights are the same
            half.min_border_top, half.min_border_bottom, half.min_width = 44, 52, 120
        made.max_width = 290
        return now

    def update(self, fit: Fit) -> bool:
        told = fit.told
        if not len(told):
            return False
        series, generation, count = self._seen
        if (series, generation, count) == (id(told), told.generation, len(told)):
            return True
        self._seen = (id(told), told.generation, len(told))
        same = (series, generation) == self._seen[:2]
        changed = self._assign(list(told.last("named"))[:MOST], keep=series == id(told))
        if same and not changed and len(told) > count:
            self.source.stream(self._columns(told, count))
        else:
            self.source.data = self._columns(told, 0)
        self._now(fit)
        return True

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.moving.xaxis.axis_label = X_LABELS[axis]

    def _assign(self, names: list[str], keep: bool) -> bool:
        """Give each name a line, those that have one the same as before; whether anything has changed."""
        before = list(self._names)
        self._names = [name if keep and name in names else None for name in before]
        free = [slot for slot, name in enumerate(self._names) if name is None]
        for name in names:
            if name not in self._names:
                self._names[free.pop(0)] = name
        for slot, (old, new) in enumerate(zip(before, self._names, strict=True)):
            if old != new:
                self.items[slot].label = value(short(new or "", 18))
                self.items[slot].visible = self.lines[slot].visible = new is not None
        return before != self._names

    def _columns(self, told: Series, start: int) -> dict[str, Any]:
        rows = told.columns["named"][start:]
        columns: dict[str, Any] = {
            slot: [row.get(name, nan) for row in rows] for slot, name in zip(_SLOTS, self._names, strict=True)
        }
        return columns | {name: told.columns[name][start:] for name in ("passes", "seconds")}

    def _now(self, fit: Fit) -> None:
        """Draw the newest values and their intervals; very wide ones leave the picture."""
        values: dict[str, float] = fit.told.last("named")
        least, most = min(values.values(), default=0.0), max(values.values(), default=0.0)
        room = _FAR * (max(most, 0.0) - min(least, 0.0) or 1.0)
        rows = []
        for slot, name in enumerate(self._names):
            if name is not None:
                w, error = values[name], fit.errors.get(name, nan)
                low, high = w - SURE * error, w + SURE * error
                bottom, top = max(low, least - room), min(high, most + room)
                rows.append((slot, name, w, error, low, high, bottom, top, _LOOKS[slot]["color"]))
        self.now.data = {name: [entry[i] for entry in rows] for i, name in enumerate(_NOW)}
        source = fit.error_source or "not told"
        self.note.text = f"95 % intervals: {source}" if fit.errors else f"no intervals: {source}"


def _legend(items: list[LegendItem]) -> Any:
    small: dict[str, Any] = {"label_text_font_size": "10px", "spacing": 0, "padding": 2}
    legend: Any = Legend(items=items, border_line_color=None, **small)
    legend.background_fill_alpha, legend.glyph_height, legend.label_height = 0.0, 12, 12
    legend.glyph_width, legend.margin = 22, 2
    return legend
