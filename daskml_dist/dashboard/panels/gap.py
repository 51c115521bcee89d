"""How far from the optimum the fit can still be."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.annotations import Span

from daskml_dist.dashboard.feed import Columns, Feed, positive
from daskml_dist.dashboard.fit import STEP, Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.style import BLUE, RED, X_LABELS, legend_above, plot, thin


@final
class Gap(Panel):
    """The relative gap on a logarithmic axis, with the tolerance: below the line the fit may end."""

    name, title = "gap", "Certified gap"

    def build(self) -> None:
        self.feed = Feed(_shown, STEP)
        tips = [
            ("passes", "@passes"),
            ("gap", "@gap{0.0e+0}"),
            ("known by", "@kind"),
            ("after", "@seconds{0.00} s"),
        ]
        self.root = made = plot("Gap to the optimum, relative", "gap (no unit)", tooltips=tips, log=True)
        source: Any = self.feed.source
        self.lines = [
            made.line("passes", "gap", source=source, color=BLUE, line_width=2),
            made.scatter(
                "passes", "proven", source=source, color=BLUE, marker="circle", size=7, legend_label="proven"
            ),
            made.scatter(
                "passes",
                "estimate",
                source=source,
                line_color=BLUE,
                fill_color=None,
                marker="triangle",
                size=8,
                legend_label="estimate, no proof",
            ),
        ]
        self.tol = Span(location=1e-6, dimension="width", line_color=RED, line_dash="dashed", line_width=2)
        made.add_layout(self.tol)
        # the span is in no legend and widens no range: a line of one point, which nobody sees, does both
        edge: dict[str, Any] = {"color": RED, "line_dash": "dashed", "legend_label": "tolerance"}
        self.edge = ColumnDataSource({"passes": [], "seconds": [], "tol": []})
        self.lines.append(made.line("passes", "tol", source=self.edge, **edge))
        legend_above(made)

    def update(self, fit: Fit) -> bool:
        tol = float(fit.info.get("tol", 0.0))
        if self.feed.update(fit.steps):
            thin(self.lines[1:3], len(fit.steps))
            if tol > 0.0 and len(fit.steps):
                self.tol.location = tol
                here: dict[str, Any] = {name: [fit.steps.last(name)] for name in ("passes", "seconds")}
                self.edge.data = here | {"tol": [tol]}
        return bool(np.isfinite(self.feed.source.data["gap"]).any())

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]


def _shown(columns: Columns) -> dict[str, Any]:
    gap = positive(columns["gap"])
    guessed = np.array([kind == "estimate" for kind in columns["gap_kind"]], dtype=np.bool_)
    return {
        "passes": list(columns["passes"]),
        "seconds": list(columns["seconds"]),
        "gap": gap,
        "proven": np.where(guessed, np.nan, gap),
        "estimate": np.where(guessed, gap, np.nan),
        "kind": list(columns["gap_kind"]),
    }
