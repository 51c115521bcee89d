"""The application of a gateway: who may ask, which replica answers, and what is done when it does not.

Requests are built anew for the replicas, from a known path, the headers that matter and the body; nothing
that a client wrote is passed on as it came.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol, final

import orjson

from daskml_dist.security import Forbidden, KeysComing, Limits, Rates, Token, Unauthorized
from daskml_dist.serve.admission import WaitingRoom
from daskml_dist.serve.bodies import (
    Gone,
    Head,
    Headers,
    Message,
    Receive,
    Send,
    error_body,
    read_body,
    read_head,
    respond,
)
from daskml_dist.serve.exchange import AtOnce, Exchange, started
from daskml_dist.serve.forwarding import Done, Errand, Forwarder
from daskml_dist.serve.gateway_figures import GatewayFigures
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.routing import Router, point_of
from daskml_dist.serve.upstream import Answer, Lost, Pool

_PASSED = frozenset({b"content-type", b"inference-header-content-length", b"traceparent", b"tracestate"})
_BREAK = re.compile(rb"[\x00-\x1f\x7f]")


class Checker(Protocol):
    """Whoever knows tokens."""

    def check(self, secret: str, scope: str) -> Token:
        """Who asks; raises Unauthorized or Forbidden."""
        ...


@final
class Route(NamedTuple):
    """What a path of the gateway stands for.

    Attributes
    ----------
    scope : that the token must have.
    start : of the request to a replica, up to its headers.
    again : whether it may be sent twice.
    version : the only one that may answer, or None.
    """

    scope: str
    start: bytes
    again: bool
    version: str | None


@final
class GatewayApp:
    """An ASGI application in front of the replicas of one model.

    Parameters
    ----------
    model : its name.
    router : knows the replicas.
    pool : of connections to them.
    checker : of users' tokens.
    replica_token : that the replicas ask for.
    limits : of a request.
    rates : of requests a token, or None.
    queue : requests at once; more are told to come again.
    sticky : header whose value decides on the version, or None.
    """

    def __init__(
        self,
        model: str,
        router: Router,
        pool: Pool,
        checker: Checker,
        replica_token: str,
        limits: Limits,
        *,
        rates: Rates | None = None,
        queue: int = 512,
        sticky: str | None = None,
    ) -> None:
        self.model, self.router, self.pool = model, router, pool
        self.limits, self.queue = limits, queue
        self.figures = GatewayFigures(model, router)
        self._checker, self._rates, self._room = checker, rates, WaitingRoom()
        self._waiting: set[asyncio.Task[None]] = set()
        self._forwarder = Forwarder(router, pool, self.figures.retries)
        self._sticky = None if sticky is None else sticky.lower().encode()
        self._common = b"host: replica\r\nauthorization: Bearer %b\r\n" % replica_token.encode()
        self._routes = self._known_routes()
        self.at_once: AtOnce = {
            path.encode(): partial(self._answer_at_once, route)
            for (method, path), route in self._routes.items()
            if method == "POST"
        }
        self._versioned = re.compile(rf"/v2/models/{re.escape(model)}/versions/([0-9]{{1,9}})(/[a-z]+)?")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; an ASGI application is called so."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        version = ""
        self.figures.inflight += 1
        try:
            status, headers, body, version = await self._answer(scope, receive)
        except Refused as refused:
            self.figures.rejected[refused.reason] += 1
            status, headers, body = refused.status, _error_headers(refused), error_body(refused)
        except Gone:
            return
        finally:
            self.figures.inflight -= 1
        self.figures.answered(version, status, time.perf_counter() - began)
        await respond(send, status, headers, body)

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, Headers, bytes, str]:
        method, path = scope["method"], scope["path"]
        if method == "GET" and path.startswith("/v2/health/"):
            return self._health(path)
        route = self._routes.get((method, path)) or self._route(method, path)
        head = read_head(scope["headers"])
        try:
            self._admit(head, route.scope)
        except KeysComing as coming:
            await self._room.wait(coming)
            self._admit(head, route.scope, waited=True)
        if path == "/metrics":
            text = self.figures.text(await self._scraped())
            return 200, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")], text, ""
        self._check_queue()
        body = await read_body(receive, head, self.limits)
        request = self._passed(route, scope["headers"], len(body)) + body
        answer, version = await self._forwarder.ask(self._errand(route, scope["headers"], request))
        return answer.status, answer.headers, answer.body, version

    def _answer_at_once(self, route: Route, exchange: Exchange) -> None:
        """The same for a request that goes the short way."""
        self.figures.inflight += 1
        done = partial(self._done, exchange, time.perf_counter())
        try:
            self._admit(exchange.asked.head, route.scope)
            self._pass_on(route, exchange, done)
        except Refused as refused:
            done(refused, "")
        except KeysComing as coming:
            task = asyncio.create_task(self._answer_later(route, exchange, done, coming))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _answer_later(self, route: Route, exchange: Exchange, done: Done, coming: KeysComing) -> None:
        """The same once the keys of tokens have been read again."""
        try:
            await self._room.wait(coming)
            self._admit(exchange.asked.head, route.scope, waited=True)
            self._pass_on(route, exchange, done)
        except Refused as refused:
            done(refused, "")

    def _pass_on(self, route: Route, exchange: Exchange, done: Done) -> None:
        self._check_queue()
        asked = exchange.asked
        if not asked.passed:
            asked.passed = self._passed(route, asked.headers, asked.length)
        request = asked.passed + exchange.body
        self._forwarder.forward(self._errand(route, asked.headers, request), done)

    def _done(self, exchange: Exchange, began: float, found: Answer | Refused, version: str) -> None:
        """Count an answer, and send it."""
        if isinstance(found, Refused):
            self.figures.rejected[found.reason] += 1
            start, body = started(found.status, _error_headers(found)), error_body(found)
        else:
            start, body = found.start, found.body
        self.figures.inflight -= 1
        self.figures.answered(version, found.status, time.perf_counter() - began)
        exchange.reply(start, body)

    def _admit(self, head: Head, scope: str, waited: bool = False) -> None:
        """Refuse who may not ask, or asks too often; `KeysComing` where that cannot be said yet."""
        scheme, _, secret = head.authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not secret:
            raise Refused(401, "a token is needed: Authorization: Bearer TOKEN", "token")
        try:
            token = self._checker.check(secret.decode("latin-1"), scope)
        except Unauthorized as error:
            if isinstance(error, KeysComing) and not waited:
                raise
            raise Refused(401, str(error), "token") from None
        except Forbidden as error:
            raise Refused(403, str(error), "scope") from None
        if self._rates is not None and (wait := self._rates.take(token.id, now=time.monotonic())) > 0.0:
            raise Refused(
                429, "too many requests of this token; try again", "rate", retry_after=int(wait) + 1
            )

    def _check_queue(self) -> None:
        if self.figures.inflight > self.queue:
            raise Refused(429, "too many requests at once; try again", "queue", retry_after=1)

    def _passed(self, route: Route, given: Headers, length: int) -> bytes:
        """The head of a request for a replica; of a client's headers it has those that replicas may see."""
        headers = [
            b"%b: %b\r\n" % (name, value)
            for name, value in given
            if name in _PASSED and not _BREAK.search(value)
        ]
        return b"".join((route.start, self._common, *headers, b"content-length: %d\r\n\r\n" % length))

    def _errand(self, route: Route, given: Headers, request: bytes) -> Errand:
        end = self.pool.loop.time() + self.limits.seconds
        return Errand(request, route.again, route.version, self._point(given), end)

    def _point(self, headers: Headers) -> float:
        """What decides on the version where versions have shares."""
        if not self.router.weights:
            return 0.0
        if self._sticky is not None:
            for name, value in headers:
                if name == self._sticky:
                    return point_of(value)
        return random.random()

    def _health(self, path: str) -> tuple[int, Headers, bytes, str]:
        if path == "/v2/health/live":
            return 200, _JSON, b'{"live":true}', ""
        if path == "/v2/health/ready":
            ready = self.router.ready() > 0
            return 200 if ready else 503, _JSON, orjson.dumps({"ready": ready}), ""
        raise Refused(404, "no such path or model", "path")

    def _known_routes(self) -> dict[tuple[str, str], Route]:
        model, name = f"/v2/models/{self.model}", self.model
        table = [
            ("POST", f"{model}/infer", f"predict:{name}", True),
            ("POST", f"{model}/explain", f"explain:{name}", True),
            ("POST", f"{model}/feedback", f"feedback:{name}", False),
            ("POST", "/v2/repository/index", f"predict:{name}", True),
            ("GET", "/metrics", "metrics", True),
        ]
        table += [
            ("GET", path, f"predict:{name}", True)
            for path in ("/v2", model, f"{model}/ready", "/openapi.json")
        ]
        return {
            (method, path): _as_route(method, path, scope, again, None)
            for method, path, scope, again in table
        }

    def _route(self, method: str, path: str) -> Route:
        """The route of a path with a version in it."""
        found = self._versioned.fullmatch(path)
        if found is not None:
            known = self._routes.get((method, f"/v2/models/{self.model}{found[2] or ''}"))
            if known is not None:
                return _as_route(method, path, known.scope, known.again, found[1])
        plain = path if found is None else f"/v2/models/{self.model}{found[2] or ''}"
        if any((other, plain) in self._routes for other in ("GET", "POST")):
            raise Refused(405, f"{method[:16]} is not known here", "path")
        raise Refused(404, "no such path or model", "path")

    async def _scraped(self) -> list[bytes]:
        """The metrics of all replicas that answer at once."""
        request = b"GET /metrics HTTP/1.1\r\n" + self._common + b"\r\n"
        asked = [
            self.pool.ask(target, request, 1.0) for target in self.router.targets.values() if target.healthy
        ]
        bodies = []
        for coming in asyncio.as_completed(asked):
            with suppress(Lost):
                answer = await coming
                bodies += [answer.body] if answer.status == 200 else []
        return bodies

    def request_of(self, method: str, path: str) -> bytes:
        """A request without a body to a replica, for whoever looks after it."""
        return f"{method} {path} HTTP/1.1\r\n".encode() + self._common + b"\r\n"


_JSON: Headers = [(b"content-type", b"application/json")]


def _as_route(method: str, path: str, scope: str, again: bool, version: str | None) -> Route:
    return Route(scope, f"{method} {path} HTTP/1.1\r\n".encode(), again, version)


def _error_headers(refused: Refused) -> Headers:
    return [*_JSON, *refused.headers()]
