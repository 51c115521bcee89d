"""The losses of groups, and how the adversary weighs them."""

from __future__ import annotations

from typing import Any, final

from bokeh.layouts import row
from bokeh.models import ColumnDataSource

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.panels._base import Panel
from daskml_dist.dashboard.style import BLUE, RED, plot
from daskml_dist.dashboard.words import short

_MOST = 25  # groups that are shown: those that weigh most, and of these that lose most


@final
class Groups(Panel):
    """Which groups decide: those with weight have the same, largest loss at the optimum."""

    name, title = "groups", "Groups"

    def build(self) -> None:
        tips = [("group", "@group"), ("mean loss", "@loss{0.00000}"), ("weight", "@weight{0.0000}")]
        self.losses = plot("Mean loss", "group", x_label="mean loss", tooltips=tips)
        self.weights = plot("Adversary's weight", "", x_label="weight (all together 1)", tooltips=tips)
        self.source = ColumnDataSource({name: [] for name in ("at", "group", "loss", "weight")})
        source: Any = self.source
        self.losses.hbar("at", left=0, right="loss", height=0.7, source=source, color=BLUE)
        self.weights.hbar(
            "at",
            left=0,
            right="weight",
            height=0.7,
            source=source,
            color=RED,
            hatch_pattern="/",
            hatch_color="white",
            hatch_alpha=0.5,
        )
        self.weights.y_range = self.losses.y_range
        for made in (self.losses, self.weights):
            made.x_range.start = 0
            made.ygrid.grid_line_color = None
        self.weights.yaxis.visible = False
        for half in (self.losses, self.weights):
            half.min_width = 120  # two of them share the place of one
        self.root = row(self.losses, self.weights, sizing_mode="stretch_width")
        self._seen: object = None

    def update(self, fit: Fit) -> bool:
        groups = fit.groups
        if groups and self._seen is not groups:
            self._seen = groups
            found = sorted(zip(groups["weights"], groups["losses"], groups["names"], strict=True))[-_MOST:]
            self.source.data = {
                "at": list(range(len(found))),
                "group": [name for _, _, name in found],
                "loss": [loss for _, loss, _ in found],
                "weight": [weight for weight, _, _ in found],
            }
            self.losses.yaxis.ticker = list(range(len(found)))
            self.losses.yaxis.major_label_overrides = {
                i: short(name, 18) for i, (_, _, name) in enumerate(found)
            }
            more = f" of {_MOST} of {len(groups['names'])} groups" if len(groups["names"]) > _MOST else ""
            self.losses.title.text = f"Mean loss{more}"
        return bool(groups)
