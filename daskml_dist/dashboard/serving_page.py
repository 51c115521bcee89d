"""The live page of a deployment: requests, times, drift, versions and replicas."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from types import TracebackType
from typing import Any, final

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, InlineStyleSheet, Row
from bokeh.models.annotations import Span
from bokeh.models.widgets import Div

from daskml_dist.dashboard.looks import Ask, Look, Watch
from daskml_dist.dashboard.page_server import PageServer, Theme, check_theme, dress
from daskml_dist.dashboard.screen import clock, furthest
from daskml_dist.dashboard.style import BLUE, GREY, ORANGE, RED, legend_above, plot

TICK = 1000
"""Milliseconds between two looks at what is new."""

_COLUMNS, _EVENTS = 15, 12
_GRID = """
:host { display: grid !important; gap: 14px 18px; width: 100%; align-items: start; }
@media (min-width: 720px) { :host { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
"""
_TABLE = "border-collapse:collapse;margin:8px 0;font-size:13px"
_CELL = "padding:2px 14px 2px 0;text-align:left"
_logger = logging.getLogger("daskml_dist.dashboard")


def serve_deployment(ask: Ask, port: int = 0, *, theme: Theme = "light") -> DeploymentServer:
    """Serve a live page of a deployment, on this machine only.

    Parameters
    ----------
    ask : gives the state of the deployment as its gateway's ``/status`` tells it.
    port : where, or 0 for any that is free.
    theme : "light" or "dark".

    Returns
    -------
    DeploymentServer, whose ``address`` is that of the page; it ends with ``close()``, or a ``with`` block.
    """
    check_theme(theme)
    return DeploymentServer(ask, port, theme)


@final
class DeploymentServer:
    """A page that looks every second, whoever looks at it; see ``serve_deployment``."""

    def __init__(self, ask: Ask, port: int, theme: Theme) -> None:
        self._watch = Watch(ask)
        try:
            self._pages = PageServer(port, "/serving", partial(_document, self._watch, theme))
        except BaseException:
            self._watch.close()
            raise
        self.port, self.address = self._pages.port, self._pages.address

    def close(self) -> None:
        """Close the page; the deployment goes on."""
        self._pages.close()
        self._watch.close()

    def __enter__(self) -> DeploymentServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@final
class ServingPage:
    """What one visitor sees."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._seen, self._failed = watch, -1, False
        self.head = Div(sizing_mode="stretch_width", text="Looking for the deployment.")
        self.tables = Div(sizing_mode="stretch_width")
        self.over_time = ColumnDataSource({name: [] for name in ("ago", "requests", "errors", "p50", "p99")})
        self.drift = ColumnDataSource(
            {name: [] for name in ("column", "ratio", "colour", "psi", "threshold")}
        )
        figures = [_requests(self.over_time), _times(self.over_time), self._drift_figure()]
        grid: Any = Row(
            children=figures, sizing_mode="stretch_width", stylesheets=[InlineStyleSheet(css=_GRID)]
        )
        self.root = column(self.head, grid, self.tables, sizing_mode="stretch_width")

    def update(self) -> None:
        """Show what is new; never raises."""
        try:
            if self._watch.looks.count != self._seen:
                self._seen = self._watch.looks.count
                self._show(self._watch.looks.all)
        except Exception:
            if not self._failed:
                self._failed = True
                _logger.exception("the page of the deployment failed")

    def _show(self, looks: Sequence[Look]) -> None:
        if not looks:
            return
        told = next((look.state for look in reversed(looks) if look.state is not None), None)
        self.head.text = head_of(looks[-1], told)
        now = looks[-1].at
        self.over_time.data = {
            "ago": [look.at - now for look in looks],
            "requests": [_drawn(look.per_second) for look in looks],
            "errors": [_drawn(look.errors_per_second) for look in looks],
            "p50": [_drawn(look.milliseconds("p50")) for look in looks],
            "p99": [_drawn(look.milliseconds("p99")) for look in looks],
        }
        if told is not None:
            self._show_drift(told["drift"])
            self.tables.text = tables_of(told)

    def _show_drift(self, judged: Sequence[Mapping[str, Any]]) -> None:
        rows = furthest(judged)[:_COLUMNS][::-1]
        names = [f"{row['column']} ({row['version']})" for row in rows]
        if self._bars.y_range.factors != names:
            self._bars.y_range.factors = names
        self._bars.visible = bool(rows)
        self.drift.data = {
            "column": names,
            "ratio": [row["psi"] / max(row["threshold"], 1e-12) for row in rows],
            "colour": [RED if row["drifted"] else BLUE for row in rows],
            "psi": [row["psi"] for row in rows],
            "threshold": [row["threshold"] for row in rows],
        }

    def _drift_figure(self) -> Any:
        self._bars = plot(
            "Drift: distance from the training data, as a multiple of what chance allows",
            "",
            x_label="PSI / threshold",
            names=(),
            tooltips=[("column", "@column"), ("PSI", "@psi{0.000}"), ("threshold", "@threshold{0.000}")],
        )
        self._bars.hbar(y="column", right="ratio", height=0.7, color="colour", source=self.drift)
        self._bars.add_layout(Span(location=1.0, dimension="height", line_color=GREY, line_dash="dashed"))
        self._bars.x_range.start = 0
        return self._bars


def head_of(last: Look, told: Mapping[str, Any] | None) -> str:
    """What is served where, and whether it can be reached, as HTML."""
    parts = []
    if last.state is None:
        parts.append(f'<b style="color:{RED}">not reachable: {escape(str(last.why))}</b>')
    if told is not None:
        colour = {"ready": BLUE, "changing": ORANGE}.get(told["state"], RED)
        version = "" if told.get("current") is None else f", version {escape(str(told['current']))}"
        parts.append(
            f'<span style="font-size:18px"><b>{escape(str(told["name"]))}</b>{version}: '
            f'<b style="color:{colour}">{escape(str(told["state"]))}</b></span> '
            f"at {escape(str(told['url']))} ({clock(last.at)})"
        )
        requests = told["requests"]
        names = ("total", "errors", "rejected", "retries")
        parts.append(
            ", ".join(f"{requests[name]:,} {'requests' if name == 'total' else name}" for name in names)
        )
    return "<br>".join(parts)


def tables_of(told: Mapping[str, Any]) -> str:
    """Versions, replicas and events, as HTML."""
    versions = [
        (
            name,
            "-" if facts["weight"] is None else f"{100 * facts['weight']:g} %",
            f"{facts['ready']} of {facts['wanted']}",
            facts["failed"] or "",
        )
        for name, facts in told["versions"].items()
    ]
    names = ("id", "version", "state", "outstanding", "restarts", "address", "agent", "why")
    replicas = [[replica.get(name) for name in names] for replica in told["replicas"]]
    events = [
        (
            clock(event["at"]),
            event["what"],
            ", ".join(f"{name} {value}" for name, value in event.items() if name not in ("at", "what")),
        )
        for event in reversed(told["events"][-_EVENTS:])
    ]
    return (
        _table(("version", "requests", "ready", "failed"), versions)
        + _table(("replica", "version", "state", "under way", "restarts", "address", "agent", ""), replicas)
        + _table(("time", "event", ""), events)
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    first = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in head)
    others = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL}">{escape("-" if cell is None else str(cell))}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}"><tr>{first}</tr>{others}</table>'


def _requests(source: ColumnDataSource) -> Any:
    made = plot("Requests a second", "a second", x_label="seconds")
    made.line("ago", "requests", source=source, color=BLUE, line_width=2, legend_label="requests")
    made.line("ago", "errors", source=source, color=RED, line_width=2, legend_label="errors")
    made.y_range.start = 0
    legend_above(made)
    return made


def _times(source: ColumnDataSource) -> Any:
    made = plot("Time to an answer, since the gateway began", "ms", x_label="seconds", log=True)
    made.line("ago", "p50", source=source, color=BLUE, line_width=2, legend_label="half")
    made.line("ago", "p99", source=source, color=ORANGE, line_width=2, legend_label="99 %")
    legend_above(made)
    return made


def _drawn(value: float | None) -> float:
    return float("nan") if value is None else value


def _document(watch: Watch, theme: Theme, doc: Any) -> None:
    page = ServingPage(watch)
    page.update()
    doc.add_periodic_callback(page.update, TICK)
    doc.add_root(page.root)
    dress(doc, "Serving", theme)
