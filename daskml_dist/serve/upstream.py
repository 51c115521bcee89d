"""Connections from the gateway to its replicas: kept open, one request at a time on each.

The only piece of HTTP that is ours: the clients of the usual libraries cost more than the gateway's whole
budget. Answers are held until they are complete, so that a replica that dies half-way has answered nothing.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, final

import httptools

from daskml_dist.security import is_loopback
from daskml_dist.serve.bodies import Headers
from daskml_dist.serve.exchange import started
from daskml_dist.serve.known_heads import KnownHeads
from daskml_dist.serve.routing import Target

IDLE = 30.0
"""Seconds that a connection is kept without use; less than a replica would keep it."""
_CONNECT = 1.0
_RETURNED = frozenset(
    {
        b"content-type",
        b"x-model-name",
        b"x-model-version",
        b"inference-header-content-length",
        b"www-authenticate",
    }
)
_LOG = logging.getLogger(__name__)
_LOOK = 0.05  # seconds between two looks at the clock, for all connections together


class Lost(Exception):
    """No answer: ``reason`` is "connect", "reset", "timeout" or "protocol"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@final
class AnswerHead(NamedTuple):
    """What the head of an answer says.

    Attributes
    ----------
    length : of the body.
    headers : those that clients see.
    start : status line and headers for a client, see ``started``.
    """

    length: int
    status: int
    headers: Headers
    start: bytes


@final
class Answer(NamedTuple):
    """What a replica has answered; of the head see ``AnswerHead``."""

    status: int
    headers: Headers
    start: bytes
    body: bytes


@final
class Connection(asyncio.Protocol):
    """One connection to a replica.

    Parameters
    ----------
    pool : where it waits between requests.
    key : address of the replica.
    """

    def __init__(self, pool: Pool, key: tuple[str, int]) -> None:
        self._pool, self.key = pool, key
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: Callable[[Answer | Lost], None] | None = None
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._between = True  # whether the parser waits for an answer to begin
        self._whole: AnswerHead | None = None
        self.transport: Any = None
        self.deadline = 0.0

    def ask(self, request: bytes, deadline: float, done: Callable[[Answer | Lost], None]) -> None:
        """Send a request; ``done`` is told the answer, or that it is lost."""
        self.deadline, self._waiting = deadline, done
        self._pool.busy.add(self)
        self.transport.write(request)

    def give_up(self, reason: str) -> None:
        """Close at once; a request that is under way is lost."""
        self._fail(reason)
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        first = self._between
        found = self._pool.known.find(data) if first else None
        if found is not None:
            self._answered(*found, stays=True)
        elif (whole := self._parsed(data)) is not None and first:
            self._pool.known.keep(data, whole)

    def _parsed(self, data: bytes) -> AnswerHead | None:
        """The head of the last answer in what came, if more may come after it."""
        self._whole = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            _LOG.exception("an answer was not passed on")
            self.give_up("protocol")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.give_up("protocol")
        return self._whole

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("reset")
        self._pool.forget(self)

    def on_message_begin(self) -> None:
        """The parser met an answer."""
        self._headers, self._body, self._between = [], [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser met a header."""
        name = name.lower()
        if name in _RETURNED:
            self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """The parser met a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The answer is there."""
        status = self._parser.get_status_code()
        if status < 200:  # 100-continue and the like announce the answer
            return
        self._between, stays = True, self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        head = AnswerHead(len(body), status, self._headers, started(status, self._headers))
        self._whole = head if stays else None
        self._answered(head, body, stays=stays)

    def _answered(self, head: AnswerHead, body: bytes, *, stays: bool) -> None:
        waiting, self._waiting = self._waiting, None
        self._pool.busy.discard(self)
        if waiting is None or not stays:
            self.transport.close()
        else:
            self._pool.rest(self)
        if waiting is not None:
            waiting(Answer(head.status, head.headers, head.start, body))

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, None
        self._pool.busy.discard(self)
        if waiting is not None:
            waiting(Lost(reason))


@final
class Pool:
    """All connections to replicas.

    Parameters
    ----------
    context : for TLS with replicas of other machines; None for none.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.busy: set[Connection] = set()
        self.known: KnownHeads[AnswerHead] = KnownHeads()
        self._idle: dict[tuple[str, int], list[Connection]] = {}
        self._context = context
        self._task = asyncio.create_task(self._watch())

    async def ask(self, target: Target, request: bytes, timeout: float) -> Answer:
        """The answer of a replica.

        Parameters
        ----------
        request : head and body.
        timeout : seconds for connecting and answering together.

        Raises
        ------
        Lost
            There is none.
        """
        deadline = self.loop.time() + timeout
        connection = self.idle(target) or await self._connect((target.host, target.port), timeout)
        waiting: asyncio.Future[Answer] = self.loop.create_future()

        def done(found: Answer | Lost) -> None:
            if waiting.done():  # whoever asked has been cancelled
                return
            if isinstance(found, Lost):
                waiting.set_exception(found)
            else:
                waiting.set_result(found)

        connection.ask(request, deadline, done)
        return await waiting

    def idle(self, target: Target) -> Connection | None:
        """A connection that nobody uses."""
        idle = self._idle.get((target.host, target.port))
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def rest(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        connection.deadline = self.loop.time() + IDLE
        self._idle.setdefault(connection.key, []).append(connection)

    def forget(self, connection: Connection) -> None:
        """A connection was closed."""
        idle = self._idle.get(connection.key)
        if idle is not None and connection in idle:
            idle.remove(connection)

    def close_idle(self, host: str, port: int) -> None:
        """Close the connections to a replica that is about to be stopped."""
        for connection in self._idle.pop((host, port), []):
            connection.transport.close()

    def close(self) -> None:
        """Close everything."""
        self._task.cancel()
        for key in list(self._idle):
            self.close_idle(*key)
        for connection in list(self.busy):
            connection.give_up("reset")

    async def _connect(self, key: tuple[str, int], timeout: float) -> Connection:
        context = None if is_loopback(key[0]) else self._context
        try:
            async with asyncio.timeout(min(timeout, _CONNECT)):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self, key), *key, ssl=context
                )
        except (OSError, TimeoutError):
            raise Lost("connect") from None
        return connection

    async def _watch(self) -> None:
        """Give up what has taken too long, and close what nobody needs."""
        while True:
            await asyncio.sleep(_LOOK)
            now = self.loop.time()
            for connection in [c for c in self.busy if c.deadline < now]:
                connection.give_up("timeout")
            for idle in self._idle.values():
                while idle and idle[0].deadline < now:  # the longest unused is first
                    idle.pop(0).transport.close()
