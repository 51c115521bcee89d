"""A page for fits without a cluster: a small server of our own, for this machine only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, final

import psutil
from tornado.ioloop import IOLoop

from daskml_dist.cluster import process_limit
from daskml_dist.dashboard.controls import Apply, accepted
from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.page import TICK, Page
from daskml_dist.dashboard.page_server import PageServer, Theme, check_theme, dress
from daskml_dist.dashboard.store import Store, sensible
from daskml_dist.dashboard.verdict import verdict
from daskml_dist.dashboard.view import Memory, View
from daskml_dist.monitor import audience, controls


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
    check_theme(theme)
    return Server(port, theme, controls.apply if buttons else None)


@final
class Server:
    """A server in a thread of its own; see ``serve``."""

    def __init__(self, port: int, theme: Theme, apply: Apply | None) -> None:
        self.store = Store()
        self._view = _Here(self.store, apply)
        self._pages = PageServer(port, "/training", partial(_document, self._view, theme))
        self.port, self.address = self._pages.port, self._pages.address
        audience.join(self._take)

    @property
    def verdict(self) -> str:
        """What the page says of the newest fit, in words."""
        newest = self.store.newest()
        return "No fit has been seen yet." if newest is None else verdict(newest)

    @property
    def loop(self) -> IOLoop:
        """On which the pages are updated, in a thread of its own."""
        loop = self._pages.loop
        if loop is None:
            raise RuntimeError("the server is closed; serve() makes a new one")
        return loop

    def close(self) -> None:
        """Close the page; fits go on."""
        audience.leave(self._take)
        self._pages.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, message: Mapping[str, Any]) -> None:
        """On the thread of a fit."""
        loop = self._pages.loop
        if loop is not None:
            loop.add_callback(self.store.take, dict(message))


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
    doc.add_root(page.root)
    dress(doc, "Training", theme)
