"""The balance of partitions as a picture."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.palettes import Colorblind, viridis
from bokeh.plotting import figure

from daskml_dist.partitioning import Balance

_SAFE = max(Colorblind)  # colours that everybody can tell apart


def plot_balance(balance: Balance) -> Any:
    """Rows of each partition as bars, stacked by class; a line shows the mean.

    Parameters
    ----------
    balance : from ``daskml_dist.balance``.

    Returns
    -------
    bokeh figure: ``bokeh.io.show`` it, or ``bokeh.io.save`` it to a file.

    Examples
    --------
    >>> import numpy as np
    >>> import daskml_dist
    >>> plot = plot_balance(daskml_dist.balance(np.ones((4, 2)), np.array(["a", "a", "b", "b"])))
    >>> plot.yaxis[0].axis_label
    'rows'
    """
    partitions = [str(i) for i in range(len(balance.rows))]
    options: Any = {"height": 320, "sizing_mode": "stretch_width", "tools": "save"}
    plot: Any = figure(
        x_range=FactorRange(factors=partitions),
        title=f"{len(partitions)} partitions, the largest {balance.imbalance:.2f} times the mean",
        **options,
    )
    _bars(plot, partitions, balance)
    plot.hspan(y=[float(balance.rows.mean())], line_dash="dashed", line_color="black")
    plot.y_range.start = 0
    plot.xaxis.axis_label, plot.yaxis.axis_label = "partition", "rows"
    plot.yaxis.formatter.use_scientific = False
    plot.xgrid.grid_line_color = None
    return plot


def _bars(plot: Any, partitions: list[str], balance: Balance) -> None:
    """The rows as bars, with what the mouse finds there."""
    layers: dict[str, Any] = {"rows": balance.rows}
    if balance.classes is not None and balance.counts is not None:
        layers = {f"class {k}": n for k, n in zip(balance.classes.tolist(), balance.counts.T, strict=True)}
    facts: dict[str, Any] = {"partition": partitions, "total": balance.rows, "bytes": balance.bytes}
    bars = plot.vbar_stack(
        list(layers),
        x="partition",
        width=0.8,
        source=ColumnDataSource(facts | layers),
        fill_color=_colours(len(layers)),
        line_color=None,
        legend_label=list(layers),
    )
    plot.add_tools(
        HoverTool(
            renderers=bars,
            tooltips=[
                ("partition", "@partition"),
                ("$name", "@$name{0,0}"),
                ("rows", "@total{0,0}"),
                ("bytes", "@bytes{0,0}"),
            ],
        )
    )
    legend = plot.legend[0]
    legend.visible = balance.classes is not None
    plot.add_layout(legend, "right")


def _colours(n: int) -> list[str]:
    """n colours, which everybody can tell apart as long as they are few."""
    return list(Colorblind[max(n, 3)])[:n] if n <= _SAFE else list(viridis(n))
