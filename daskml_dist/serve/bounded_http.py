"""uvicorn's HTTP protocol with what it leaves open: a bound on headers, and on the time a request may take
to come.

llhttp limits neither the size of headers nor the time they take; a client that sends a byte a minute would
hold a connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from daskml_dist.security import Limits

_SAYS = b'{"error":"the headers of the request are too large"}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_SAYS), _SAYS)
)


class BoundedHttp(HttpToolsProtocol):
    """A connection of a client."""

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_headers = True
        self._header_bytes = 0
        self._since: float | None = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and close where headers have no end."""
        if not self._in_headers:
            super().data_received(data)
            return
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes <= self.limits.header_bytes:
            return
        if self._in_headers and self.parser is not None and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Start the application, unless what came before the body is too large."""
        self._in_headers = False
        if self._header_bytes > self.limits.header_bytes:  # the count may include the beginning of the body
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.header_bytes:
                self._in_headers = True
                raise ValueError("headers too large")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True
        self._header_bytes = 0
        self._since = None

    def overdue(self, now: float) -> bool:
        """Whether a request has been coming for longer than it may."""
        return self._since is not None and now - self._since > self.limits.seconds


async def close_overdue(connections: set[Any], interval: float = 1.0) -> None:
    """Close connections whose request does not come to its end; runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(connections):
            if connection.overdue(now):
                connection.transport.close()
