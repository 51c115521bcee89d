"""How old the parameters were that nodes of a parameter server stepped from."""

from __future__ import annotations

from typing import Any, final

from bokeh.models import ColumnDataSource, NumeralTickFormatter

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, plot
from daskml_dist.dashboard.words import size


@final
class Staleness(Panel):
    """Pulls by how many clocks the slowest node was behind: a long tail asks for a smaller bound."""

    name, title = "staleness", "Staleness"

    def build(self) -> None:
        tips = [("clocks behind", "@at"), ("pulls", "@pulls{0,0}")]
        self.root = made = plot(
            "Staleness", "pulls", x_label="clocks that the slowest node was behind", tooltips=tips
        )
        self.source = ColumnDataSource({"at": [], "pulls": []})
        source: Any = self.source
        made.vbar("at", top="pulls", width=0.8, source=source, color=BLUE)
        made.y_range.start = 0
        made.xaxis.ticker.min_interval = 1
        made.yaxis.formatter = NumeralTickFormatter(format="0,0")
        self._seen: object = None

    def update(self, fit: Fit) -> bool:
        stale = fit.stale
        if stale and self._seen is not stale:
            self._seen = stale
            self.source.data = {"at": list(stale["staleness"]), "pulls": list(stale["pulls"])}
            pushed = f"{stale['pushes']:,} pushes, {size(stale['nbytes'])} pulled and pushed"
            self.root.title.text = f"Staleness: {pushed}"
        return bool(stale)
