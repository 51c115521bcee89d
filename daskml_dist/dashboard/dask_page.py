"""The pages on Dask's own dashboard: the one place that reaches into it.

None of this is documented by Dask: a second Bokeh application on the running scheduler, made by the calls
that ``distributed.dashboard.scheduler.connect`` itself makes; its name in the navigation; its plots among
those that JupyterLab finds. tests/dashboard/test_dask_page.py names each of them, so that a new release of
distributed that changes one is noticed there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.server.tornado import BokehTornado
from distributed.dashboard.components.scheduler import BOKEH_THEME, env
from distributed.dashboard.core import BokehApplication
from distributed.dashboard.scheduler import template_variables
from distributed.http.scheduler.info import IndividualPlots
from tornado.ioloop import IOLoop

from daskml_dist.dashboard.page import TICK, Page, Single
from daskml_dist.dashboard.panels import PANELS, Panel
from daskml_dist.dashboard.view import View

PATH = "/training"
SINGLE = "/individual-training-"


def mount(scheduler: Any, view: View) -> Callable[[], None] | None:
    """Add the pages to the dashboard of a scheduler.

    Returns
    -------
    what takes them away again, or None where the dashboard is switched off.
    """
    http = scheduler.http_application
    main = next((app for app in http.applications if isinstance(app, BokehTornado)), None)
    if main is None:
        return None
    pages: dict[str, Any] = {PATH: partial(_training, view)}
    pages |= {SINGLE + panel.name: partial(_single, view, panel) for panel in PANELS}
    variables = template_variables(scheduler)
    app = BokehApplication(pages, scheduler, prefix=main.prefix, template_variables=variables)
    http.add_application(app)
    app.initialize(IOLoop.current())
    app.start()
    route = main.prefix.rstrip("/") + r"/individual-plots\.json"
    http.add_handlers(r".*$", [(route, _plots(list(pages)[1:]), {"dask_server": scheduler})])
    _name(variables)

    def unmount() -> None:
        app.stop()
        if app in http.applications:
            http.applications.remove(app)

    return unmount


def _name(variables: dict[str, Any]) -> None:
    """Put the page into the navigation; the lists are those that all pages look at."""
    pages, plots = variables["pages"], variables["plots"]
    if PATH[1:] not in pages:
        pages.insert(pages.index("tasks") + 1 if "tasks" in pages else len(pages), PATH[1:])
    known = {plot["url"] for plot in plots}
    ours = [{"url": (SINGLE + panel.name)[1:], "name": f"Training: {panel.title}"} for panel in PANELS]
    plots += [plot for plot in ours if plot["url"] not in known]
    plots.sort(key=lambda plot: plot["name"])


def _plots(paths: list[str]) -> type[IndividualPlots]:
    """The handler of the list of plots, with ours."""

    class WithOurs(IndividualPlots):
        """Dask's own list looks at the first Bokeh application only."""

        def write(self, chunk: Any) -> None:
            ours = {path.strip("/").replace("-", " ").title(): path for path in paths}
            super().write({**chunk, **ours} if isinstance(chunk, dict) else chunk)

    return WithOurs


def _training(view: View, server: Any, extra: dict[str, Any], doc: Any) -> None:
    page = Page(view)
    page.update()
    doc.add_periodic_callback(page.update, TICK)
    doc.title = "Dask: Training"
    doc.add_root(page.root)
    doc.template = env.get_template("simple.html")
    doc.template_variables.update(extra)
    doc.theme = BOKEH_THEME


def _single(view: View, panel: type[Panel], server: Any, extra: dict[str, Any], doc: Any) -> None:
    single = Single(view, panel)
    single.update()
    doc.add_periodic_callback(single.update, TICK)
    doc.title = f"Dask: Training, {panel.title}"
    doc.add_root(single.root)
    doc.theme = BOKEH_THEME
