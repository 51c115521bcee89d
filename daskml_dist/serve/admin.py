"""The admin port: what is there and what shall be, for people and agents that know a token.

It listens apart from the public port, on the loopback unless asked otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daskml_dist.security import AuditLog, Forbidden, Limits, Unauthorized
from daskml_dist.serve import strict_json
from daskml_dist.serve.bodies import error_body, read_body, read_head
from daskml_dist.serve.controller import Controller
from daskml_dist.serve.gateway_app import Checker, GatewayApp
from daskml_dist.serve.node_certificates import Nodes
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.status import status_of

_Handler = Callable[[dict[str, Any]], Awaitable[Any]]
MOST_REPLICAS = 1024


@final
class Admin:
    """The handlers of the admin port.

    Parameters
    ----------
    controller : of the deployment.
    app : the gateway's application.
    checker : of tokens; "admin" for people, "deploy" for agents.
    audit : what is changed, and by whom, is written there.
    stop : ends the gateway. url : of the public port.
    nodes : what agents of other machines are told.
    """

    def __init__(
        self,
        controller: Controller,
        app: GatewayApp,
        checker: Checker,
        audit: AuditLog,
        stop: Callable[[], None],
        url: str,
        nodes: Nodes,
    ) -> None:
        self._controller, self._app, self._checker, self._audit = controller, app, checker, audit
        self._stop, self._url, self._nodes = stop, url, nodes

    def application(self) -> Starlette:
        """The ASGI application."""
        table: list[tuple[str, str, str, _Handler]] = [
            ("GET", "/status", "admin", self._status),
            ("GET", "/sd", "metrics", self._discovery),
            ("POST", "/roll", "deploy", self._roll),
            ("POST", "/canary", "deploy", self._canary),
            ("POST", "/rollback", "deploy", self._rollback),
            ("POST", "/scale", "deploy", self._scale),
            ("POST", "/stop", "admin", self._end),
            ("POST", "/agent", "deploy", self._agent),
            ("POST", "/certificate", "deploy", self._certificate),
        ]
        routes = [
            Route(path, self._guarded(path, scope, handler), methods=[method])
            for method, path, scope, handler in table
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})

    def _guarded(self, path: str, scope: str, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            who = "nobody"
            try:
                head = read_head(request.scope["headers"])
                who = self._admit(head.authorization, scope)
                body = await read_body(request.receive, head, Limits(json_bytes=4 << 20))
                given = strict_json.loads(body) if body else {}
                said = await handler(given)
            except Refused as refused:
                if request.method == "POST" and path != "/agent":
                    await self._write_down(who, path, f"refused {refused.status}", {"why": refused.message})
                return Response(error_body(refused), refused.status, media_type="application/json")
            if request.method == "POST" and path != "/agent":
                await self._write_down(who, path, "done", _facts(said))
            return Response(orjson.dumps(said), media_type="application/json")

        return answer

    async def _write_down(self, who: str, path: str, result: str, facts: dict[str, Any]) -> None:
        """Append to the audit log, in a thread since the disk is waited for."""
        await asyncio.to_thread(self._audit.append, who=who, what=path[1:], result=result, **facts)

    def _admit(self, authorization: bytes, scope: str) -> str:
        scheme, _, secret = authorization.partition(b" ")
        try:
            return self._checker.check(
                secret.decode("latin-1") if scheme.lower() == b"bearer" else "", scope
            ).id
        except Unauthorized as error:
            raise Refused(401, str(error), "token") from None
        except Forbidden as error:
            raise Refused(403, str(error), "scope") from None

    async def _status(self, given: dict[str, Any]) -> Any:
        return status_of(self._controller, self._app, self._url)

    async def _discovery(self, given: dict[str, Any]) -> Any:
        model = self._controller.desired.model
        return [
            {"targets": [replica["address"]], "labels": {"model": model, "version": replica["version"]}}
            for replica in self._controller.replicas()
            if replica["address"]
        ]

    async def _roll(self, given: dict[str, Any]) -> Any:
        return {"version": await self._controller.roll(_text(given, "version"))}

    async def _canary(self, given: dict[str, Any]) -> Any:
        percent: Any = given.get("percent")
        if type(percent) not in (int, float) or not 0 <= percent <= 100:
            raise Refused(422, "percent must be a number from 0 to 100", "json")
        version = await self._controller.canary(_text(given, "version"), float(percent))
        return {"version": version, "percent": percent}

    async def _rollback(self, given: dict[str, Any]) -> Any:
        return {"version": await self._controller.rollback()}

    async def _scale(self, given: dict[str, Any]) -> Any:
        replicas = given.get("replicas")
        if type(replicas) is not int or not 1 <= replicas <= MOST_REPLICAS:
            raise Refused(422, f"replicas must be a whole number from 1 to {MOST_REPLICAS}", "json")
        self._controller.scale(replicas)
        return {"replicas": replicas}

    async def _end(self, given: dict[str, Any]) -> Any:
        self._stop()
        return {"stopping": True}

    async def _agent(self, given: dict[str, Any]) -> Any:
        if not _is_report(given):
            raise Refused(422, "an agent reports agent, host, replicas, leaving", "json")
        try:
            self._nodes.check(given["host"])
        except Refused as refused:
            self._controller.refuse(given["agent"], refused.message)
            raise
        self._controller.hear(given)
        desired = self._controller.desired
        told = {"token": desired.token, "model": desired.model}
        return self._controller.wanted(given["agent"]) | told | self._nodes.launch

    async def _certificate(self, given: dict[str, Any]) -> Any:
        host, request = _text(given, "host"), _text(given, "request")
        return {"host": host} | self._nodes.certify(host, request)


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if type(value) is not str or not 0 < len(value) <= 4096:
        raise Refused(422, f"{name} must be text", "json")
    return value


def _is_report(given: dict[str, Any]) -> bool:
    replicas = given.get("replicas")
    keys = {"id": str, "version": str, "state": str, "host": str, "port": int, "restarts": int, "why": str}
    return (
        type(given.get("agent")) is str
        and type(given.get("host")) is str
        and type(replicas) is list
        and all(type(r) is dict and all(type(r.get(k)) is kind for k, kind in keys.items()) for r in replicas)
    )


def _facts(said: Any) -> dict[str, Any]:
    """What is written down of an answer: no files."""
    told = said.items() if isinstance(said, dict) else ()
    return {name: value for name, value in told if name not in ("certificate", "authority")}


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return Response(orjson.dumps({"error": "no such path or method"}), status, media_type="application/json")
