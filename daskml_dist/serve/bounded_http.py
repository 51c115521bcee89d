"""uvicorn's HTTP protocol with what it leaves open: a bound on headers, and on the time a request may take.

llhttp limits neither the size of headers nor the time they take: a client that sends a byte a minute would
hold a connection for ever. A request that comes in one piece pays for one comparison.

And with a short way for small requests that an application answers ``at_once``, see ``exchange``; those whose
head came before are not even parsed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from daskml_dist.security import Limits
from daskml_dist.serve.bodies import read_head
from daskml_dist.serve.exchange import MOST_BYTES, Answerer, AtOnce, Exchange, RequestHead, started
from daskml_dist.serve.known_heads import KnownHeads
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
    known: ClassVar[KnownHeads[RequestHead]]
    """Of one server: they say which of its functions answers, so that each has a table of its own."""

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
        self._between = True  # whether the parser waits for a request to begin
        self._upgrading = False  # whether what is parsed now offers another protocol
        self._usual = False  # whether what is parsed now may go the short way
        self._exchange: Exchange | None = None
        self._whole: RequestHead | None = None
        self._at_once: AtOnce = getattr(self.app, "at_once", {})
        self._most = min(MOST_BYTES, self.limits.json_bytes, self.limits.binary_bytes)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and close where headers have no end."""
        self._idle = None
        first = self._between
        if first and len(data) < _PIECE and self._answered_as_known(data):
            return
        whole = self._parsed(data)
        if first and whole is not None:
            self.known.keep(data, whole)
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and cycle.scope is self.scope and len(data) < _PIECE:
            self._since = None  # the usual request: all of it is there
            self._came = 0
        else:
            self._came_in_part(data)

    def on_message_begin(self) -> None:
        """What the parser meets is kept; the rest waits until it is known which way the request goes."""
        self._between = False
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.scope = None  # type: ignore[assignment]

    def on_headers_complete(self) -> None:
        """Take the short way if there is one."""
        self._upgrading = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._upgrading:
            return
        answer = self._at_once.get(self.url) if self._usual else None
        asked = None if answer is None else self._asked(answer)
        if asked is None:
            self._exchange = None
            self._take_long_way()
        else:
            self._exchange = self._begun(asked)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._exchange is None:
            HttpToolsProtocol.on_body(self, body)
        else:
            self._exchange.body += body

    def on_message_complete(self) -> None:
        """The request is there."""
        if self._upgrading:
            return
        self._between = True
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            HttpToolsProtocol.on_message_complete(self)
        else:
            self._whole = exchange.asked
            self._answer(exchange)

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

    def _parsed(self, data: bytes) -> RequestHead | None:
        """What was asked last of what came, if that went the short way."""
        self._usual, self._whole = self._came == 0 and len(data) < _PIECE, None
        self._unset_keepalive_if_required()
        self._feed(data)
        return self._whole

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self._upgrading:
                self._feed_without_offer(data[upgrade.args[0] :])
            else:  # CONNECT: what follows is no HTTP
                self.cycle.keep_alive = False
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _feed_without_offer(self, rest: bytes) -> None:
        """Begin the request anew, with HTTP/1.1: a server may ignore the offer (RFC 9110, section 7.8).

        The parser takes all that follows the headers for the other protocol, and would not read the body.
        """
        offers = {b"upgrade", b"http2-settings", b"connection"}
        headers = [header for header in self.headers if header[0] not in offers]
        if not self.parser.should_keep_alive():
            headers.append((b"connection", b"close"))
        line = b"%b %b HTTP/%b\r\n" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode(),
        )
        self.parser = HttpRequestParser(self)
        self._feed(b"%b%b\r\n%b" % (line, b"".join([b"%b: %b\r\n" % pair for pair in headers]), rest))

    def _answered_as_known(self, data: bytes) -> bool:
        """Answer a request whose head came before; False where it is to be parsed."""
        found = self.known.find(data)
        if found is None or not self._free() or self.transport.is_closing():
            return False
        asked, body = found
        self._came, self._since = 0, None
        exchange = self._begun(asked)
        exchange.body = body
        self._answer(exchange)
        return True

    def _free(self) -> bool:
        """Whether all that was asked before is answered, and the client reads its answers."""
        before = self.cycle
        return (before is None or before.response_complete) and not self.flow.write_paused

    def _asked(self, answer: Answerer) -> RequestHead | None:
        """What the head says; None for a request that goes the long way."""
        parser = self.parser
        if (
            not self._free()
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or self.expect_100_continue
        ):
            return None
        try:
            head = read_head(self.headers)
        except Refused:  # there it is refused
            return None
        if head.length is None or head.length > self._most:
            return None
        return RequestHead(head.length, head, self.headers, answer)

    def _begun(self, asked: RequestHead) -> Exchange:
        """An exchange, which is what this connection is about now."""
        self.scope = asked  # type: ignore[assignment]
        self.cycle = exchange = Exchange(self, asked)  # type: ignore[assignment]
        return exchange

    def _answer(self, exchange: Exchange) -> None:
        exchange.more_body = False
        try:
            exchange.asked.answer(exchange)
        except Exception:
            _LOG.exception("a request failed")
            exchange.keep_alive = False
            exchange.reply(*_FAILED)

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
