"""A small Bokeh server in a thread of its own, for this machine only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Literal, final

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from jinja2 import Template
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

from daskml_dist.errors import UnsupportedParameter

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


@final
class PageServer:
    """Serves one page on 127.0.0.1.

    Parameters
    ----------
    port : where, or 0 for any that is free.
    path : of the page, such as "/training".
    document : fills the document of a visitor.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, port: int, path: str, document: Callable[[Any], None]) -> None:
        bound = socket.create_server((_HOST, port))
        bound.setblocking(False)
        self.port = int(bound.getsockname()[1])
        self.address = f"http://{_HOST}:{self.port}{path}"
        self._path, self._document = path, document
        self._ready, self._failure = Event(), list[BaseException]()
        self._loop: IOLoop | None = None
        self._thread = Thread(target=self._run, args=(bound,), name="daskml-dist-page", daemon=True)
        self._thread.start()
        self._ready.wait(_START)
        if self._failure:
            raise self._failure[0]

    @property
    def loop(self) -> IOLoop | None:
        """On which the pages are updated, in a thread of its own; None once it is closed."""
        return self._loop

    def close(self) -> None:
        """Close the page."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.add_callback(loop.stop)
            self._thread.join(_START)

    def _run(self, bound: socket.socket) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            loop = IOLoop.current()
            origins = [f"{_HOST}:{self.port}", f"localhost:{self.port}"]
            pages = BokehTornado(
                {self._path: Application(FunctionHandler(self._document))},
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


def check_theme(theme: str) -> None:
    """Complain of a theme that there is not."""
    if theme not in _LOOKS:
        raise UnsupportedParameter(f"theme={theme!r} was given; expected 'light' or 'dark'.")


def dress(doc: Any, title: str, theme: Theme) -> None:
    """Give a document its title and colours."""
    doc.title = title
    doc.template = _PAGE
    doc.template_variables.update(_LOOKS[theme])
    doc.theme = "dark_minimal" if theme == "dark" else "light_minimal"
