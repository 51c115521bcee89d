"""The balance of the partitions."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, RED, legend_above, plot
from daskml_dist.dashboard.words import size

_MOST_BARS = 200  # partitions up to which each has a bar; of more, neighbours share one


@final
class Partitions(Panel):
    """The rows that each thread answers for: uneven bars mean that the others wait."""

    name, title = "partitions", "Balance of the partitions"

    def build(self) -> None:
        self.root = made = plot("Rows of each shard", "rows", x_label="shard: what one thread answers for")
        self.source = ColumnDataSource(_bars((), (), ()))
        source: Any = self.source
        bars = made.vbar("at", top="rows", width="width", source=source, color=BLUE, legend_label="rows")
        tips = [("shard", "@at{0}"), ("rows", "@rows{0,0}"), ("size", "@size"), ("worker", "@owner")]
        made.add_tools(HoverTool(renderers=[bars], tooltips=tips))
        self.mean = made.line([], [], color=RED, line_dash="dashed", line_width=2, legend_label="mean")
        made.y_range.start = 0
        made.yaxis.formatter = NumeralTickFormatter(format="0,0")
        made.xaxis.ticker.min_interval = 1
        made.xgrid.grid_line_color = None
        legend_above(made)
        self._seen: object = None

    def update(self, fit: Fit) -> bool:
        layout = fit.layout
        if not layout or not layout["rows"]:
            return False
        if self._seen is not layout:
            self._seen = layout
            rows = layout["rows"]
            mean = float(np.mean(rows))
            self.source.data = _bars(rows, layout["nbytes"], layout["owners"])
            self.mean.data_source.data = {"x": [0.5, len(rows) + 0.5], "y": [mean, mean]}
            largest = f"largest {max(rows) / max(mean, 1.0):.2f} x mean"
            streamed = ", streamed" if layout["streamed"] else ""
            self.root.title.text = f"{layout['chunks']} chunks, {len(rows)} shards, {largest}{streamed}"
        return True


def _bars(rows: tuple[int, ...], nbytes: tuple[int, ...], owners: tuple[str, ...]) -> dict[str, Any]:
    """One bar a shard, or for runs of them the largest."""
    step = max(-(-len(rows) // _MOST_BARS), 1)
    runs = [range(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]
    most = [max(run, key=rows.__getitem__) for run in runs]
    return {
        "at": [i + 1 for i in most] if step == 1 else [run[0] + (len(run) + 1) / 2 for run in runs],
        "rows": [rows[i] for i in most],
        "width": [0.8 * len(run) for run in runs],
        "size": [size(nbytes[i]) if nbytes[i] else "not known" for i in most],
        "owner": [owners[i] for i in most],
    }
