"""What travels for a pass."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from daskml_dist.dashboard.feed import Columns, Feed, numbers
from daskml_dist.dashboard.fit import STEP, Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.style import PURPLE, X_LABELS, in_bytes, plot, thin
from daskml_dist.dashboard.words import size


@final
class Traffic(Panel):
    """Bytes of partial answers that were combined: where they are many, fewer shards or features help."""

    name, title = "traffic", "Bytes reduced"

    def build(self) -> None:
        self.feed = Feed(_shown, STEP)
        tips = [("passes", "@passes"), ("bytes", "@size"), ("tasks", "@tasks")]
        self.root = made = plot("Bytes combined in a pass", "bytes", tooltips=tips)
        source: Any = self.feed.source
        self.lines = [
            made.line("passes", "nbytes", source=source, color=PURPLE, line_width=2, line_dash="dashed"),
            made.scatter("passes", "nbytes", source=source, color=PURPLE, marker="diamond", size=9),
        ]
        made.y_range.start = 0
        in_bytes(made.yaxis)

    def update(self, fit: Fit) -> bool:
        if self.feed.update(fit.steps):
            thin(self.lines[1:], len(fit.steps))
            total = fit.totals["nbytes"]
            told = f": {size(total)} in all" if total else ""
            self.root.title.text = f"Bytes combined in a pass{told}"
        return bool(np.any(self.feed.source.data["nbytes"]))

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]


def _shown(columns: Columns) -> dict[str, Any]:
    return {
        "passes": list(columns["passes"]),
        "seconds": list(columns["seconds"]),
        "nbytes": numbers(columns["partial_bytes"]),
        "tasks": list(columns["tasks"]),
        "size": [size(nbytes) for nbytes in columns["partial_bytes"]],
    }
