"""uvicorn's HTTP protocol with what it leaves open: a bound on headers, and on the time a request may take.

llhttp limits neither the size of headers nor the time they take: a client that sends a byte a minute would
hold a connection for ever. A request that comes in one piece pays for one comparison.

And with a short way for small requests that an application answers ``at_once``, see ``exchange``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from daskml_dist.security import Limits
from daskml_dist.serve.bodies import Head, read_head
from daskml_dist.serve.exchange import MOST_BYTES, AtOnce, Exchange, started
from daskml_dist.serve.refusals import Refused

_PIECE = 8192  # bytes; a piece as large as this is no usual request
_JSON = [(b"content-type", b"application/json"), (b"connection", b"close")]
_SAYS = b'{"error":"the headers of the request are too large"}'
_TOO_LARGE = b"%bcontent-length: %d\r\n\r\n%b" % (started(431, _JSON), len(_SAYS), _SAYS)
_FAILED = started(500, _JSON), b'{"error":"the server failed; its log says why"}'
_LOG = logging.getLogger(__name__)


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
        self._idle: float | None = None
        self._usual = False  # whether what is parsed now may go the short way
        self._exchange: Exchange | None = None
        self._at_once: AtOnce = getattr(self.app, "at_once", {})
        self._most = min(MOST_BYTES, self.limits.json_bytes, self.limits.binary_bytes)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and close where headers have no end."""
        self._idle = None
        self._usual = self._came == 0 and len(data) < _PIECE
        HttpToolsProtocol.data_received(self, data)
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and cycle.scope is self.scope and len(data) < _PIECE:
            self._since = None  # the usual request: all of it is there
            self._came = 0
        else:
            self._came_in_part(data)

    def on_message_begin(self) -> None:
        """What the parser meets is kept; the rest waits until it is known which way the request goes."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.scope = None  # type: ignore[assignment]

    def on_headers_complete(self) -> None:
        """Take the short way if there is one."""
        answer = self._at_once.get(self.url) if self._usual else None
        head = None if answer is None else self._head()
        if answer is None or head is None:
            self._exchange = None
            self._take_long_way()
        else:
            self.scope = head  # type: ignore[assignment]
            self.cycle = self._exchange = Exchange(self, head, answer)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._exchange is None:
            HttpToolsProtocol.on_body(self, body)
        else:
            self._exchange.body += body

    def on_message_complete(self) -> None:
        """The request is there."""
        exchange = self._exchange
        if exchange is None:
            HttpToolsProtocol.on_message_complete(self)
            return
        self._exchange = None
        exchange.more_body = False
        try:
            exchange.answer(exchange)
        except Exception:
            _LOG.exception("a request failed")
            exchange.keep_alive = False
            exchange.reply(*_FAILED)

    def on_response_complete(self) -> None:
        """The next of several requests that came together; else the connection is idle from now on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle = self.loop.time()

    def overdue(self, now: float) -> bool:
        """Whether a request has been coming for longer than it may, or none for too long."""
        if self._idle is not None and now - self._idle > self.timeout_keep_alive:
            return True
        return self._since is not None and now - self._since > self.limits.seconds

    def _take_long_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        HttpToolsProtocol.on_headers_complete(self)

    def _head(self) -> Head | None:
        """What matters of the headers; None for a request that goes the long way."""
        before, parser = self.cycle, self.parser
        if (
            (before is not None and not before.response_complete)
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or self.expect_100_continue
            or self.flow.write_paused
        ):
            return None
        try:
            head = read_head(self.headers)
        except Refused:  # there it is refused
            return None
        return head if head.length is not None and head.length <= self._most else None

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
