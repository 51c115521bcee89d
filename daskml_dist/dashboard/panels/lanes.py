"""Where the time of the workers goes."""

from __future__ import annotations

from statistics import median
from typing import Any, final

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.models.widgets import Div

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, GREY, HEIGHT, ORANGE, RED, legend_above, plot
from daskml_dist.dashboard.words import short, span, text

SEPARATE = 100
"""Workers up to which each has a lane."""

STRAGGLER = 1.5
"""Times the median: computing for longer makes a worker a straggler."""

_LABELLED = 30  # lanes up to which each has a label


@final
class Lanes(Panel):
    """A lane for each worker: computing, waiting for the slowest, and the rest, in the newest passes.

    The rest is messages, transfers and the solver's own work: no worker computes meanwhile.
    """

    name, title = "lanes", "Workers"

    def build(self) -> None:
        title = "Where the time of workers goes"
        self.lanes = plot(title, "worker", x_label="seconds", height=HEIGHT + 30)
        self.source = ColumnDataSource(_lanes({}))
        self._bars()
        self.many = plot("Workers by seconds of computing", "workers", x_label="seconds of computing")
        self.bins = ColumnDataSource(_bins([]))
        bins: Any = self.bins
        self.many.quad("left", "right", "top", 0, source=bins, fill_color=BLUE, line_color=None)
        self.many.add_tools(HoverTool(tooltips=[("workers", "@top"), ("seconds", "@left to @right")]))
        self.many.y_range.start = 0
        self.note = Div(text="", styles={"font-size": "12px"}, sizing_mode="stretch_width")
        self.many.visible = self.note.visible = False
        self.root = column(self.lanes, self.many, self.note, sizing_mode="stretch_width")
        self._seen: object = None

    def _bars(self) -> None:
        made, source = self.lanes, self.source
        looks = {
            "computing": ("begin", "computed", BLUE, None),
            "waiting": ("computed", "waited", ORANGE, "/"),
            "messages, solver": ("waited", "all", GREY, "."),
        }
        bars = []
        for label, (left, right, colour, hatch) in looks.items():
            options: dict[str, Any] = {"hatch_pattern": hatch, "hatch_alpha": 0.5, "hatch_color": "white"}
            bars.append(
                made.hbar(
                    y="at",
                    left=left,
                    right=right,
                    height=0.8,
                    source=source,
                    fill_color=colour,
                    fill_alpha=0.5 if hatch == "." else 0.9,
                    line_color=None,
                    legend_label=label,
                    **(options if hatch else {}),
                )
            )
        slow: dict[str, Any] = {
            "color": RED,
            "marker": "inverted_triangle",
            "size": 11,
            "legend_label": "straggler",
        }
        made.scatter("slow", "at", source=source, **slow)
        tips = [("worker", "@worker"), ("computing", "@computed{0.000} s"), ("waiting", "@idle{0.000} s")]
        made.add_tools(HoverTool(renderers=bars, tooltips=tips))
        made.x_range.start = 0
        made.ygrid.grid_line_color = None
        legend_above(made)

    def update(self, fit: Fit) -> bool:
        if not fit.recent or not fit.recent[-1]["each"] or not fit.times_told:
            return False
        if self._seen is not fit.recent[-1]:
            self._seen = fit.recent[-1]
            self._show(fit.lanes())
        return True

    def _show(self, lanes: dict[str, tuple[float, float, float]]) -> None:
        many = len(lanes) > SEPARATE
        for model, visible in ((self.lanes, not many), (self.many, many), (self.note, many)):
            if model.visible != visible:
                model.visible = visible
        if many:
            computed = {worker: lane[0] for worker, lane in lanes.items()}
            self.bins.data = _bins(list(computed.values()))
            self.note.text = _worst(computed)
            return
        self.source.data = _lanes(lanes)
        names = sorted(lanes, key=_natural, reverse=True)
        self.lanes.yaxis.ticker = list(range(len(names))) if len(names) <= _LABELLED else []
        self.lanes.yaxis.major_label_overrides = {i: short(name) for i, name in enumerate(names)}
        self.lanes.yaxis.axis_label = "worker" if len(names) <= _LABELLED else f"{len(names)} workers"


def stragglers(computed: dict[str, float]) -> dict[str, float]:
    """Those that compute far longer than the median, and how many times as long."""
    usual = median(computed.values()) if len(computed) > 1 else 0.0
    if usual <= 0.0:
        return {}
    return {worker: seconds / usual for worker, seconds in computed.items() if seconds > STRAGGLER * usual}


def _lanes(lanes: dict[str, tuple[float, float, float]]) -> dict[str, Any]:
    names = sorted(lanes, key=_natural, reverse=True)
    parts = np.array([lanes[name] for name in names]).reshape(-1, 3)
    ends = parts.cumsum(axis=1)
    slow = stragglers({name: lane[0] for name, lane in lanes.items()})
    return {
        "at": list(range(len(names))),
        "worker": names,
        "begin": np.zeros(len(names)),
        "computed": ends[:, 0],
        "waited": ends[:, 1],
        "all": ends[:, 2],
        "idle": parts[:, 1],
        "slow": [
            end if name in slow else np.nan for name, end in zip(names, ends[:, 0].tolist(), strict=True)
        ],
    }


def _bins(seconds: list[float]) -> dict[str, Any]:
    counts, edges = np.histogram(seconds, bins=30, range=(0.0, max(seconds, default=1.0) or 1.0))
    return {"left": edges[:-1], "right": edges[1:], "top": counts}


def _worst(computed: dict[str, float]) -> str:
    usual = median(computed.values())
    worst = sorted(computed, key=computed.__getitem__, reverse=True)[:5]
    told = (
        f"{text(short(worker))} {span(computed[worker])}"
        + (f" ({computed[worker] / usual:.1f} x the median)" if usual > 0.0 else "")
        for worker in worst
    )
    return f"<b>Slowest of {len(computed)}:</b> " + "; ".join(told)


def _natural(name: str) -> tuple[int, str]:
    """Thread 2 is before thread 10."""
    return len(name), name
