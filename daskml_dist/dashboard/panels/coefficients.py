"""The largest coefficients on their way."""

from __future__ import annotations

from itertools import product
from math import nan
from typing import Any, final

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.models.annotations import Legend, LegendItem

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.series import Series
from daskml_dist.dashboard.style import COLOURS, DASHES, GREY, HEIGHT, X_LABELS, plot
from daskml_dist.dashboard.words import short

MOST = 20
"""Lines; each has a colour and a dash of its own."""

_SLOTS = [f"c{i}" for i in range(MOST)]


@final
class Movement(Panel):
    """A line for each of the largest coefficients: signs, sparsity, and mistakes of units show here first."""

    name, title = "coefficients", "Coefficients"

    def build(self) -> None:
        self.root = made = plot(f"The {MOST} largest coefficients", "coefficient", height=HEIGHT + 70)
        self.source = ColumnDataSource({name: [] for name in ("passes", "seconds", *_SLOTS)})
        source: Any = self.source
        looks = [(colour, dash) for dash, colour in product(DASHES, COLOURS)]
        self.lines = []
        for slot, (colour, dash) in zip(_SLOTS, looks, strict=False):
            line = made.line(
                "passes", slot, source=source, color=colour, line_dash=dash, line_width=2, visible=False
            )
            self.lines.append(line)
        made.add_tools(
            HoverTool(renderers=self.lines, tooltips=[("passes", "@passes"), ("value", "$snap_y{0.0000}")])
        )
        self.items = [LegendItem(label=value(""), renderers=[line], visible=False) for line in self.lines]
        small: dict[str, Any] = {"label_text_font_size": "10px", "spacing": 0, "padding": 2}
        legend: Any = Legend(items=self.items, border_line_color=None, **small)
        legend.background_fill_alpha, legend.glyph_height, legend.label_height = 0.0, 12, 12
        legend.glyph_width, legend.margin = 22, 2
        made.add_layout(legend, "right")
        made.hspan(y=[0.0], line_color=GREY, line_alpha=0.6)
        self._names: list[str | None] = [None] * MOST
        self._seen: tuple[int, int, int] = (0, -1, 0)

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
        return True

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]

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
