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
from typing import NamedTuple, Protocol, final

import orjson

from daskml_dist.security import Forbidden, Limits, Rates, Token, Unauthorized
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
from daskml_dist.serve.gateway_figures import GatewayFigures
from daskml_dist.serve.patience import AGAIN, ATTEMPTS, Budget, Patience
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.routing import Router, Target, point_of
from daskml_dist.serve.upstream import Answer, Lost, Pool

_PASSED = (b"content-type", b"inference-header-content-length", b"traceparent", b"tracestate")
_RETURNED = frozenset(
    {
        b"content-type",
        b"x-model-name",
        b"x-model-version",
        b"inference-header-content-length",
        b"www-authenticate",
    }
)
_BREAK = re.compile(rb"[\x00-\x1f\x7f]")
_WAIT = 0.02  # seconds between two looks for a replica, where there is none


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
        self._checker, self._rates = checker, rates
        self._budget, self._patience = Budget(), Patience()
        self._sticky = None if sticky is None else sticky.lower().encode()
        self._common = b"host: replica\r\nauthorization: Bearer %b\r\n" % replica_token.encode()
        self._routes = self._known_routes()
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
        head = read_head(scope)
        self._admit(head, route.scope)
        if path == "/metrics":
            text = self.figures.text(await self._scraped())
            return 200, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")], text, ""
        if self.figures.inflight > self.queue:
            raise Refused(429, "too many requests at once; try again", "queue", retry_after=1)
        body = await read_body(receive, head, self.limits)
        request = b"".join((route.start, self._common, self._headers(scope, body), body))
        answer, target = await self._forwarded(request, route, self._point(scope))
        headers = [(name.lower(), value) for name, value in answer.headers if name.lower() in _RETURNED]
        return answer.status, headers, answer.body, target.version

    def _admit(self, head: Head, scope: str) -> None:
        """Refuse who may not ask, or asks too often."""
        scheme, _, secret = head.authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not secret:
            raise Refused(401, "a token is needed: Authorization: Bearer TOKEN", "token")
        try:
            token = self._checker.check(secret.decode("latin-1"), scope)
        except Unauthorized as error:
            raise Refused(401, str(error), "token") from None
        except Forbidden as error:
            raise Refused(403, str(error), "scope") from None
        if self._rates is not None and (wait := self._rates.take(token.id, now=time.monotonic())) > 0.0:
            raise Refused(
                429, "too many requests of this token; try again", "rate", retry_after=int(wait) + 1
            )

    async def _forwarded(self, request: bytes, route: Route, point: float) -> tuple[Answer, Target]:
        """The answer of a replica, and of which.

        Raises
        ------
        Refused
            503 where none answers.
        """
        self._budget.request()
        began = self.pool.loop.time()
        end = began + self.limits.seconds
        tried: list[Target] = []
        for attempt in range(ATTEMPTS):
            target = self.router.choose(tried, point, route.version)
            if target is None:
                target = await self._target(tried, point, route.version, end)
            asked = self.pool.loop.time()
            timeout = min(self._patience.timeout(attempt), end - asked)
            target.outstanding += 1
            try:
                answer = await self.pool.ask(target, request, timeout)
                reason = "status" if answer.status in AGAIN else ""
            except Lost as lost:
                reason = lost.reason
            finally:
                target.outstanding -= 1
            if not reason:
                target.answered += 1
                self._patience.answered(self.pool.loop.time() - asked)
                return answer, target
            if reason in ("connect", "reset"):
                target.lost = True
            tried.append(target)
            sent = reason != "connect"
            if (sent and not route.again) or self.pool.loop.time() >= end or not self._budget.take():
                break
            self.figures.retries[reason] += 1
        raise Refused(503, "no replica has answered; try again", "replicas", retry_after=1)

    async def _target(self, tried: list[Target], point: float, version: str | None, end: float) -> Target:
        """A replica; where there is none, one is waited for."""
        while (target := self.router.choose(tried, point, version)) is None:
            known = version is None or any(t.version == version for t in self.router.targets.values())
            if not known:
                raise Refused(404, f"version {version} is not served", "path")
            if self.pool.loop.time() + _WAIT > end:
                raise Refused(503, "no replica is ready; try again", "replicas", retry_after=1)
            await asyncio.sleep(_WAIT)
        return target

    def _headers(self, scope: Message, body: bytes) -> bytes:
        """The headers of a client that replicas may see, and the end of the head."""
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, value in scope["headers"]
            if name in _PASSED and not _BREAK.search(value)
        ]
        return b"%bcontent-length: %d\r\n\r\n" % (b"".join(lines), len(body))

    def _point(self, scope: Message) -> float:
        """What decides on the version where versions have shares."""
        if not self.router.weights:
            return 0.0
        if self._sticky is not None:
            for name, value in scope["headers"]:
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
