"""A page for fits without a cluster: a small server of our own, for this machine only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Any, Literal, final

import psutil
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from jinja2 import Template
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

from daskml_dist.cluster import process_limit
from daskml_dist.dashboard.controls import Apply, accepted
from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.page import TICK, Page
from daskml_dist.dashboard.store import Store, sensible
from daskml_dist.dashboard.verdict import verdict
from daskml_dist.dashboard.view import Memory, View
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.monitor import audience, controls

Theme = Literal["light", "dark"]
_HOST = "127.0.0.1"
_START = 30.0  # seconds
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{{ title }}</title>
  <link rel="icon" href="data:,">
  {{ bokeh_css }}
  {{ bokeh_js }}
  <style>
    html { background: {{ background }}; color: {{ colour }}; color-scheme: {{ scheme }}; }
    body { margin: 0; padding: 10px; font-family: Helvetica, Arial, sans-serif; }
  </style>
</head>
<body>
{{ plot_div }}
{{ plot_script }}
</body>
</html>""")
_LOOKS = {
    "light": {"background": "#fafafa", "colour": "#222222", "scheme": "light"},
    "dark": {"background": "#20262b", "colour": "#e0e0e0", "scheme": "dark"},
}
_ATTRIBUTES = {"background_fill_color": None, "border_fill_color": None}


def serve(port: int = 0, *, theme: Theme = "light", buttons: bool = False) -> Server:
    """Serve the training page for the fits of this process, with or without a cluster, on this machine only.

    Parameters
    ----------
    port : where, or 0 for any that is free.
    theme : "light" or "dark".
    buttons : whether the page may pause, resume and stop fits, and change their learning rate.

    Returns
    -------
    Server, whose ``address`` is that of the page; it ends with ``close()``, or a ``with`` block.

    Examples
    --------
    >>> from daskml_dist.dashboard import serve
    >>> with serve() as server:
    ...     server.address.startswith("http://127.0.0.1:")
    True
    """
    if theme not in _LOOKS:
        raise UnsupportedParameter(f"theme={theme!r} was given; expected 'light' or 'dark'.")
    return Server(port, theme, controls.apply if buttons else None)


@final
class Server:
    """A server in a thread of its own; see ``serve``."""

    def __init__(self, port: int, theme: Theme, apply: Apply | None) -> None:
        self.store = Store()
        self._theme, self._view = theme, _Here(self.store, apply)
        bound = socket.create_server((_HOST, port))
        bound.setblocking(False)
        self.port = int(bound.getsockname()[1])
        self._ready, self._failure = Event(), list[BaseException]()
        self._loop: IOLoop | None = None
        self._thread = Thread(target=self._run, args=(bound,), name="daskml-dist-page", daemon=True)
        self._thread.start()
        self._ready.wait(_START)
        if self._failure:
            raise self._failure[0]
        audience.join(self._take)

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{_HOST}:{self.port}/training"

    @property
    def verdict(self) -> str:
        """What the page says of the newest fit, in words."""
        newest = self.store.newest()
        return "No fit has been seen yet." if newest is None else verdict(newest)

    @property
    def loop(self) -> IOLoop:
        """On which the pages are updated, in a thread of its own."""
        if self._loop is None:
            raise RuntimeError("the server is closed; serve() makes a new one")
        return self._loop

    def close(self) -> None:
        """Close the page; fits go on."""
        audience.leave(self._take)
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.add_callback(loop.stop)
            self._thread.join(_START)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, message: Mapping[str, Any]) -> None:
        """On the thread of a fit."""
        loop = self._loop
        if loop is not None:
            loop.add_callback(self.store.take, dict(message))

    def _run(self, bound: socket.socket) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            loop = IOLoop.current()
            application = Application(FunctionHandler(partial(_document, self._view, self._theme)))
            origins = [f"{_HOST}:{self.port}", f"localhost:{self.port}"]
            pages = BokehTornado(
                {"/training": application},
                extra_websocket_origins=origins,
                use_index=True,
                redirect_root=True,
            )
            http = HTTPServer(pages)
            http.add_sockets([bound])
            server = BaseServer(loop, pages, http)
            server.start()
            self._loop = loop
        except BaseException as error:
            self._failure.append(error)
            return
        finally:
            self._ready.set()
        loop.start()
        server.stop()
        http.stop()
        loop.close(all_fds=True)


@final
class _Here(View):
    """The fits of this process."""

    def __init__(self, store: Store, apply: Apply | None) -> None:
        self._store, self._apply = store, apply
        self._process = psutil.Process()

    @property
    def store(self) -> Store:
        return self._store

    def memory(self) -> list[Memory]:
        return [Memory("this process", int(self._process.memory_info().rss), int(process_limit()))]

    def steerable(self, fit: Fit) -> bool:
        return self._apply is not None

    def steer(self, fit_id: str, command: str, value: float | None = None) -> None:
        message = {"fit_id": fit_id, "command": command, "value": value}
        if self._apply is not None and sensible(message):
            accepted(message, self._apply)


def _document(view: View, theme: Theme, doc: Any) -> None:
    page = Page(view)
    page.update()
    doc.add_periodic_callback(page.update, TICK)
    doc.title = "Training"
    doc.template = _PAGE
    doc.template_variables.update(_LOOKS[theme])
    doc.add_root(page.root)
    doc.theme = "dark_minimal" if theme == "dark" else "light_minimal"
