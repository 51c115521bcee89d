"""The objective, and what is known of its minimum."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from daskml_dist.dashboard.feed import Columns, Feed, numbers
from daskml_dist.dashboard.fit import STEP, Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.style import BLUE, SKY, X_LABELS, legend_above, plot, thin


@final
class Loss(Panel):
    """The objective, and below it the band in which the minimum lies, if the gap is a proof."""

    name, title = "loss", "Loss"

    def build(self) -> None:
        self.feed = Feed(_shown, STEP)
        tips = [
            ("passes", "@passes"),
            ("objective", "@objective{0.000000}"),
            ("minimum above", "@bound{0.000000}"),
        ]
        self.root = made = plot("Objective and its minimum", "mean loss + penalty", tooltips=tips)
        source: Any = self.feed.source
        band = made.varea(
            "passes",
            "bound",
            "objective",
            source=source,
            color=SKY,
            alpha=0.3,
            legend_label="minimum is here",
        )
        line = made.line(
            "passes", "objective", source=source, color=BLUE, line_width=2, legend_label="objective"
        )
        dots = made.scatter("passes", "objective", source=source, color=BLUE, size=5)
        self.lines = [band, line, dots]
        legend_above(made)

    def update(self, fit: Fit) -> bool:
        if self.feed.update(fit.steps):
            thin(self.lines[2:], len(fit.steps))
        return bool(np.isfinite(self.feed.source.data["objective"]).any())

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]


def _shown(columns: Columns) -> dict[str, Any]:
    objective, gap = numbers(columns["objective"]), numbers(columns["gap"])
    # losses are never negative: a relative gap of 1 and more says nothing, nor does one that is a guess
    share = np.clip(np.nan_to_num(gap, nan=0.0), 0.0, 1.0)
    guessed = np.array([kind == "estimate" for kind in columns["gap_kind"]], dtype=np.bool_)
    share[guessed | (share >= 1.0)] = 0.0
    return {
        "passes": list(columns["passes"]),
        "seconds": list(columns["seconds"]),
        "objective": objective,
        "bound": objective * (1.0 - share),
    }
