"""The head of the page: which fit, how it stands, what it needs, and whoever may steers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, final

from bokeh.layouts import column
from bokeh.models import InlineStyleSheet, Row
from bokeh.models.widgets import Button, Div, Select, Slider

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.store import RATES
from daskml_dist.dashboard.style import BLUE, GREEN, GREY, ORANGE, RED
from daskml_dist.dashboard.verdict import verdict
from daskml_dist.dashboard.view import View
from daskml_dist.dashboard.words import span, text

EMPTY = (
    "<b>No training yet.</b> Fit an estimator of daskml_dist with this cluster (or in this process, for a "
    "page of its own server), and it shows here by itself: <code>LogisticRegression().fit(X, y)</code>."
)
_NEWEST = ("", "the newest")
#: of each state: its colour, a sign that needs none, and the word
_BADGES = {
    "running": (BLUE, "&#9654;", "running"),
    "paused": (ORANGE, "&#10074;&#10074;", "paused"),
    "stopping": (ORANGE, "&#8230;", "stopping"),
    "finished": (GREEN, "&#10003;", "finished"),
    "stopped": (ORANGE, "&#9632;", "stopped"),
    "failed": (RED, "&#10007;", "failed"),
    "lost": (GREY, "?", "client gone"),
}


@final
class Header:
    """Selector, state, verdict, and buttons where they are allowed.

    Parameters
    ----------
    view : what is looked at.
    changed : called when another fit was chosen.
    """

    def __init__(self, view: View, changed: Callable[[], None]) -> None:
        self.view = view
        self.select: Any = Select(title="fit", value="", options=list[Any]([_NEWEST]), width=260)
        self.select.stylesheets = [
            InlineStyleSheet(css=".bk-input { color: #222; background-color: white; }")
        ]
        self.select.on_change("value", lambda attr, old, new: changed())
        self.state = Div(text="", sizing_mode="stretch_width", styles={"font-size": "14px"})
        self.verdict = Div(text="", sizing_mode="stretch_width", styles={"font-size": "14px"})
        self.pause = Button(label="Pause", width=90)
        self.stop = Button(label="Stop and keep", button_type="danger", width=120)
        low, high = RATES
        self.factor: Any = Slider(
            start=low, end=high, value=1.0, step=0.1, title="step size, times", width=200, format="0.0"
        )
        self.rate = Button(label="Set step size", width=110)
        self.pause.on_click(lambda: self._send("resume" if self.pause.label == "Resume" else "pause"))
        self.stop.on_click(lambda: self._send("stop"))
        self.rate.on_click(lambda: self._send("rate", float(self.factor.value)))
        self.controls = Row(children=[self.pause, self.stop, self.factor, self.rate], visible=False)
        words = column(self.state, self.verdict, sizing_mode="stretch_width", min_width=300)
        top = Row(children=[self.select, words, self.controls], sizing_mode="stretch_width")
        top.styles = {"flex-wrap": "wrap", "gap": "6px 16px"}
        self.root = top
        self._fit: Fit | None = None

    def update(self) -> Fit | None:
        """Bring everything up to date; the fit that is chosen."""
        store = self.view.store
        options: list[Any] = [_NEWEST, *((fit.id, _label(fit)) for fit in reversed(store.fits.values()))]
        if options != self.select.options:
            self.select.options = options
        self._fit = fit = store.fits.get(self.select.value) or store.newest()
        _write(self.state, "" if fit is None else _state(fit))
        _write(self.verdict, "" if fit is None else text(verdict(fit)))
        may = fit is not None and not fit.over and self.view.steerable(fit)
        if self.controls.visible != may:
            self.controls.visible = may
        label = "Resume" if fit is not None and fit.state == "paused" else "Pause"
        if self.pause.label != label:
            self.pause.label = label
        return fit

    def _send(self, command: str, value: float | None = None) -> None:
        if self._fit is not None:
            self.view.steer(self._fit.id, command, value)


def _write(div: Div, told: str) -> None:
    if div.text != told:
        div.text = told


def _label(fit: Fit) -> str:
    """How a fit is called in the list, always: a list that changes loses what is being chosen."""
    return f"{time.strftime('%H:%M:%S', time.localtime(fit.began))} {fit.name}"


def _state(fit: Fit) -> str:
    """A badge, and figures."""
    colour, sign, word = _BADGES[fit.state]
    badge = (
        f"<span style='background:{colour};color:white;border-radius:4px;padding:2px 8px'>"
        f"{sign} <b>{word}</b></span>"
    )
    facts = [f"<b>{text(fit.info['estimator'])}</b> ({text(fit.info['solver'])})"] if fit.info else []
    if fit.info:
        rows = f"{fit.info['rows']:,} rows x " if fit.info["rows"] >= 0 else ""
        facts.append(f"{rows}{fit.info['features']:,} features")
    passes = int(fit.steps.last("passes") or fit.end.get("passes", 0))
    facts.append(f"pass {passes}" + (f" of at most {fit.info['max_passes']}" if fit.info else ""))
    if fit.seconds:
        facts.append(span(fit.seconds))
        if passes:
            facts.append(f"{span(fit.seconds / passes)} a pass")
    if len(fit.steps):
        facts.append(f"objective {fit.steps.last('objective'):.6g}")
        facts.append(f"gap {fit.steps.last('gap'):.1e}")
    return f"{badge}&nbsp; " + " &middot; ".join(facts)
