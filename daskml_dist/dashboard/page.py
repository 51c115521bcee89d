"""The training page: a header, and panels beside and below each other."""

from __future__ import annotations

import logging
import time
from typing import Any, Literal, final

from bokeh.layouts import column
from bokeh.models import InlineStyleSheet, Plot, Row
from bokeh.models.widgets import Div, RadioButtonGroup

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.gate import Gate
from daskml_dist.dashboard.header import EMPTY, Header
from daskml_dist.dashboard.panels import PANELS, Along, Panel
from daskml_dist.dashboard.style import GREY
from daskml_dist.dashboard.view import View

TICK = 250
"""Milliseconds between two looks at what is new."""

_GRID = """
:host { display: grid !important; grid-auto-flow: row dense; gap: 14px 18px; }
:host { width: 100%; align-items: start; }
@media (min-width: 720px) { :host { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (min-width: 1200px) { :host { grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); } }
"""
_WEIGHED = 2.0  # seconds between two looks at the memory
_A_TICK = 3  # panels that are made at an update
_ALONG: tuple[Along, Along] = ("passes", "seconds")
_logger = logging.getLogger("daskml_dist.dashboard")


@final
class Page:
    """All panels of the fit that is chosen; those without data are hidden.

    They are made a few at each update: a figure takes 10 ms and more, and the scheduler has other work.

    Parameters
    ----------
    view : what is looked at.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.header = Header(view, self.update)
        self.panels: list[Panel] = []
        self.along = RadioButtonGroup(labels=["passes", "seconds"], active=0, width=160)
        self.along.on_change("active", lambda attr, old, new: self._turn(new))
        self.grid: Any = Row(sizing_mode="stretch_width", stylesheets=[InlineStyleSheet(css=_GRID)])
        self.empty = Div(text=EMPTY, sizing_mode="stretch_width", styles={"font-size": "15px"})
        axis = Row(children=[Div(text="horizontal axis", margin=(10, 4, 5, 5)), self.along])
        self.body = column(axis, self.grid, sizing_mode="stretch_width", visible=False)
        self.gate = Gate()
        parts = (self.header.root, self.empty, self.body, self.gate.root)
        self.root = column(*parts, sizing_mode="stretch_width")
        self._weighed = 0.0
        self._seen: tuple[str, int] = ("", -1)
        self._failed: set[str] = set()

    def update(self) -> None:
        """Show what is new; never raises, since it is called on the loop of the scheduler."""
        if not self.gate.is_open:
            return
        try:
            self._update()
        except Exception:
            self._complain("page")

    def _update(self) -> None:
        fit = self.header.update()
        _set(self.empty, "visible", fit is None)
        _set(self.body, "visible", fit is not None)
        if fit is None:
            return
        self._make(_A_TICK)
        now = (fit.id, fit.version)
        weigh = time.monotonic() - self._weighed > _WEIGHED
        for panel in self.panels:
            if now != self._seen or (panel.name == "memory" and weigh):
                self._show(panel, fit)
        if now != self._seen or weigh:
            self.gate.passed()
            self._weighed = time.monotonic() if weigh else self._weighed
        self._seen = now

    def _make(self, most: int) -> None:
        """Make the next panels."""
        kinds = PANELS[len(self.panels) : len(self.panels) + most]
        if kinds:
            made = [kind(self.view.memory) for kind in kinds]
            for panel in made:
                panel.along(_ALONG[self.along.active or 0])
            self.panels += made
            self.grid.children = [panel.root for panel in self.panels]
            self._seen = ("", -1)

    def _show(self, panel: Panel, fit: Fit) -> None:
        try:
            _set(panel.root, "visible", panel.update(fit))
        except Exception:
            _set(panel.root, "visible", False)
            self._complain(panel.name)

    def _turn(self, active: int | None) -> None:
        for panel in self.panels:
            panel.along(_ALONG[active or 0])

    def _complain(self, name: str) -> None:
        """Once for each panel."""
        if name not in self._failed:
            self._failed.add(name)
            _logger.exception("the panel %r of the training page failed", name)


@final
class Single:
    """One panel of the newest fit, which fills its pane: for JupyterLab.

    Parameters
    ----------
    view : what is looked at.
    kind : the panel.
    """

    def __init__(self, view: View, kind: type[Panel]) -> None:
        self.view = view
        self.panel = kind(view.memory)
        self.nothing = Div(text=f"<span style='color:{GREY}'>{kind.title}: nothing to show yet.</span>")
        figures: Any = self.panel.root.select({"type": Plot})
        for figure in figures:
            figure.sizing_mode = "stretch_both"
        mode: Literal["stretch_both"] = "stretch_both"
        self.panel.root.sizing_mode = mode
        self.panel.root.visible = False
        self.root = column(self.nothing, self.panel.root, sizing_mode=mode)
        self._seen: tuple[str, int] = ("", -1)
        self._failed = False

    def update(self) -> None:
        """Show what is new; never raises."""
        fit = self.view.store.newest()
        if (
            fit is None
            or self._failed
            or ((fit.id, fit.version) == self._seen and self.panel.name != "memory")
        ):
            return
        try:
            self._seen = (fit.id, fit.version)
            shown = self.panel.update(fit)
            _set(self.panel.root, "visible", shown)
            _set(self.nothing, "visible", not shown)
        except Exception:
            self._failed = True
            _logger.exception("the page of the panel %r failed", self.panel.name)


def _set(model: Any, name: str, value: object) -> None:
    """Change a property only where it is another one: each change travels to the browser."""
    if getattr(model, name) != value:
        setattr(model, name, value)
