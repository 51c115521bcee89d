"""uvicorn's HTTP protocol with what it leaves open: a bound on headers, and on the time a request may take.

llhttp limits neither the size of headers nor the time they take: a client that sends a byte a minute would
hold a connection for ever. A request that comes in one piece pays for one comparison.
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
        self._came = 0  # bytes of headers that are not complete
        self._since: float | None = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and close where headers have no end."""
        HttpToolsProtocol.data_received(self, data)
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and cycle.scope is self.scope and len(data) < 8192:
            self._since = None  # the usual request: all of it is there
            self._came = 0
        else:
            self._came_in_part(data)

    def overdue(self, now: float) -> bool:
        """Whether a request has been coming for longer than it may."""
        return self._since is not None and now - self._since > self.limits.seconds

    def _came_in_part(self, data: bytes) -> None:
        cycle = self.cycle
        in_headers = cycle is None or cycle.scope is not self.scope
        if not in_headers and not cycle.more_body:
            self._since = None
        elif self._since is None:
            self._since = self.loop.time()
        if in_headers:
            self._came += len(data)
            size = self._came
        else:  # what came with the end of the headers may be body
            size = sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
            self._came = 0
        if size > self.limits.header_bytes and self.parser is not None and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()


async def close_overdue(connections: set[Any], interval: float = 1.0) -> None:
    """Close connections whose request does not come to its end; runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(connections):
            if connection.overdue(now):
                connection.transport.close()
