"""Whether the descent is on its way: the norm of the gradient, and the length of steps."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from daskml_dist.dashboard.feed import Columns, Feed, positive
from daskml_dist.dashboard.fit import STEP, Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.style import BLUE, ORANGE, X_LABELS, legend_above, plot, thin


@final
class Gradient(Panel):
    """The norm falls where all is well; steps that shrink far faster say that the descent is stuck."""

    name, title = "gradient", "Gradient norm and step"

    def build(self) -> None:
        self.feed = Feed(_shown, STEP)
        tips = [("passes", "@passes"), ("gradient norm", "@gradient{0.0e+0}"), ("step", "@step{0.0e+0}")]
        self.root = made = plot("Gradient norm and step size", "norm; length", tooltips=tips, log=True)
        source: Any = self.feed.source
        norm = {"source": source, "color": BLUE, "legend_label": "gradient norm"}
        step = {"source": source, "color": ORANGE, "legend_label": "step size"}
        self.lines = [
            made.line("passes", "gradient", line_width=2, **norm),
            made.scatter("passes", "gradient", marker="circle", size=6, **norm),
            made.line("passes", "step", line_width=2, line_dash="dashed", **step),
            made.scatter("passes", "step", marker="square", size=6, **step),
        ]
        legend_above(made)

    def update(self, fit: Fit) -> bool:
        if self.feed.update(fit.steps):
            thin([self.lines[1], self.lines[3]], len(fit.steps))
        data = self.feed.source.data
        return bool(np.isfinite(data["gradient"]).any() or np.isfinite(data["step"]).any())

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]


def _shown(columns: Columns) -> dict[str, Any]:
    return {
        "passes": list(columns["passes"]),
        "seconds": list(columns["seconds"]),
        "gradient": positive(columns["gradient_norm"]),
        "step": positive(columns["step_size"]),
    }
