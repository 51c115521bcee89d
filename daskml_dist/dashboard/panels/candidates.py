"""What cross-validation found."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, ORANGE, legend_above, plot


@final
class CandidateScores(Panel):
    """The mean of each candidate over the splits, with one standard error: which to take, how surely."""

    name, title = "candidates", "Cross-validation"

    def build(self) -> None:
        tips = [("candidate", "@name"), ("mean", "@mean{0.00000}"), ("standard error", "@error{0.00000}")]
        self.root = made = plot(
            "Cross-validation", "mean over the splits", x_label="candidate", tooltips=tips
        )
        self.source = ColumnDataSource(_columns((), (), ()))
        self.best = ColumnDataSource(_columns((), (), ()))
        source: Any = self.source
        made.segment(
            "at",
            "low",
            "at",
            "high",
            source=source,
            color=BLUE,
            line_width=2,
            legend_label="± 1 std. error",
        )
        made.scatter("at", "mean", source=source, color=BLUE, size=8, legend_label="mean")
        best: Any = self.best
        made.scatter("at", "mean", source=best, color=ORANGE, marker="star", size=18, legend_label="best")
        made.xaxis.ticker.min_interval = 1
        legend_above(made)
        self._shown: object = None

    def update(self, fit: Fit) -> bool:
        found = fit.candidates
        if found and self._shown is not found:
            self._shown = found
            columns = _columns(found["names"], found["means"], found["errors"])
            self.source.data = columns
            self.best.data = {
                name: values[found["best"] : found["best"] + 1] for name, values in columns.items()
            }
            self.root.yaxis.axis_label = found["metric"]
        return bool(found)


def _columns(names: tuple[str, ...], means: tuple[float, ...], errors: tuple[float, ...]) -> dict[str, Any]:
    mean, error = np.array(means, dtype=np.float64), np.nan_to_num(np.array(errors, dtype=np.float64))
    return {
        "at": np.arange(1, len(names) + 1),
        "name": list(names),
        "mean": mean,
        "error": error,
        "low": mean - error,
        "high": mean + error,
    }
