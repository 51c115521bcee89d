"""The memory of the workers, as it is now."""

from __future__ import annotations

import time
from typing import Any, final

from bokeh.models import ColumnDataSource, HoverTool

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, GREY, RED, in_bytes, legend_above, plot
from daskml_dist.dashboard.view import Memory
from daskml_dist.dashboard.words import short, size

_MOST = 30  # workers that are shown: those that are fullest
_PAUSE = 1.0  # seconds between two looks


@final
class MemoryUsed(Panel):
    """What the processes of workers hold, and what they may: whether chunks fit, or are soon spilled."""

    name, title = "memory", "Memory of the workers"

    def build(self) -> None:
        self.root = made = plot("Memory now", "worker", x_label="bytes of the process")
        self.source = ColumnDataSource(_bars([]))
        source: Any = self.source
        bars = made.hbar(
            "at", left=0, right="used", height=0.7, source=source, color=BLUE, legend_label="used"
        )
        full = made.hbar(
            "at",
            left=0,
            right="nearly",
            height=0.7,
            source=source,
            color=RED,
            hatch_pattern="/",
            hatch_color="white",
            legend_label="above 80 %",
        )
        made.scatter(
            "limit",
            "at",
            source=source,
            marker="dash",
            angle=1.5708,
            size=18,
            line_width=3,
            color=GREY,
            legend_label="limit",
        )
        tips = [("worker", "@worker"), ("used", "@told"), ("limit", "@most")]
        made.add_tools(HoverTool(renderers=[bars, full], tooltips=tips))
        made.x_range.start = 0
        in_bytes(made.xaxis)
        made.ygrid.grid_line_color = None
        legend_above(made)
        self._looked = 0.0

    def update(self, fit: Fit) -> bool:
        now = time.monotonic()
        if now - self._looked >= _PAUSE:
            self._looked = now
            found = self.memory()
            fullest = sorted(found, key=lambda one: one.used, reverse=True)[:_MOST]
            bars = _bars(sorted(fullest, key=lambda one: (len(one.name), one.name), reverse=True))
            if bars["worker"] != self.source.data["worker"]:
                self.root.yaxis.ticker = bars["at"]
                self.root.yaxis.major_label_overrides = {i: short(w) for i, w in enumerate(bars["worker"])}
            self.source.data = bars
            more = f": the {_MOST} fullest of {len(found)} workers" if len(found) > _MOST else ""
            title = f"Memory now{more}"
            if self.root.title.text != title:
                self.root.title.text = title
        return bool(len(self.source.data["at"]))


def _bars(found: list[Memory]) -> dict[str, Any]:
    full = [one.limit > 0 and one.used > 0.8 * one.limit for one in found]
    return {
        "at": list(range(len(found))),
        "worker": [one.name for one in found],
        "used": [float("nan") if f else one.used for one, f in zip(found, full, strict=True)],
        "nearly": [one.used if f else float("nan") for one, f in zip(found, full, strict=True)],
        "limit": [one.limit or float("nan") for one in found],
        "told": [size(one.used) for one in found],
        "most": [size(one.limit) if one.limit else "none" for one in found],
    }
