"""How the model does on rows that it is not trained on."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from daskml_dist.dashboard.feed import Columns, Feed, numbers
from daskml_dist.dashboard.fit import SCORE, Fit
from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.style import GREEN, ORANGE, X_LABELS, legend_above, plot


@final
class HeldOut(Panel):
    """The score with a band of one standard error, and a star at the best: whether to go on is worth it."""

    name, title = "held-out", "Held-out score"

    def build(self) -> None:
        self.feed = Feed(_shown, SCORE)
        tips = [("passes", "@passes"), ("score", "@score{0.0000}"), ("standard error", "@error{0.0000}")]
        self.root = made = plot("Score on held-out rows", "accuracy or r2", tooltips=tips)
        source: Any = self.feed.source
        band = made.varea(
            "passes",
            "low",
            "high",
            source=source,
            color=GREEN,
            alpha=0.2,
            legend_label="± 1 std. error",
        )
        line = made.line("passes", "score", source=source, color=GREEN, line_width=2, legend_label="score")
        dots = made.scatter("passes", "score", source=source, color=GREEN, size=6)
        best: dict[str, Any] = {"color": ORANGE, "marker": "star", "size": 16, "legend_label": "best"}
        self.best = made.scatter("passes", "score", source={"passes": [], "seconds": [], "score": []}, **best)
        self.lines = [band, line, dots, self.best]
        legend_above(made)

    def update(self, fit: Fit) -> bool:
        if not len(fit.scores):
            return False
        if self.feed.update(fit.scores):
            scores = fit.scores.columns["score"]
            i = int(np.argmax(scores))
            star = {name: [fit.scores.columns[name][i]] for name in ("passes", "seconds", "score")}
            self.best.data_source.data = star
        return True

    def along(self, axis: Along) -> None:
        for line in self.lines:
            line.glyph.x = axis
        self.root.xaxis.axis_label = X_LABELS[axis]


def _shown(columns: Columns) -> dict[str, Any]:
    score, error = numbers(columns["score"]), numbers(columns["error"])
    return {
        "passes": list(columns["passes"]),
        "seconds": list(columns["seconds"]),
        "score": score,
        "error": error,
        "low": score - np.nan_to_num(error),
        "high": score + np.nan_to_num(error),
    }
