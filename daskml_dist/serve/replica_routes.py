"""What a replica answers besides inference: health, metadata, explanations, labels, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daskml_dist import __version__
from daskml_dist.serve import inference, openapi, strict_json
from daskml_dist.serve.bodies import Gone, read_body, read_head
from daskml_dist.serve.refusals import Refused

if TYPE_CHECKING:
    from daskml_dist.serve.replica_app import ReplicaApp

EXTENSIONS = ["binary_tensor_data", "model_repository", "daskml_explain", "daskml_feedback"]
SERVER = {"name": "daskml_dist", "version": __version__, "extensions": EXTENSIONS}
_Handler = Callable[[Request], Awaitable[Response]]


def routes(app: ReplicaApp) -> Starlette:
    """The Starlette application of a replica."""
    model = f"/v2/models/{app.served.name}"
    version = f"{model}/versions/{app.served.version}"
    answers = _Answers(app)
    table: list[tuple[str, str, _Handler]] = [
        ("GET", "/v2", answers.server),
        ("GET", "/v2/health/live", answers.live),
        ("GET", "/v2/health/ready", answers.ready),
        ("POST", "/v2/repository/index", answers.index),
        ("GET", "/metrics", answers.metrics),
        ("GET", "/openapi.json", answers.openapi),
        ("GET", f"{model}/drift", answers.drift),
        ("GET", f"{model}/quality", answers.quality),
    ]
    for base in (model, version):
        table += [
            ("GET", base, answers.metadata),
            ("GET", f"{base}/ready", answers.ready),
            ("POST", f"{base}/explain", answers.explain),
            ("POST", f"{base}/feedback", answers.feedback),
        ]
    found = [Route(path, answers.counted(handler), methods=[method]) for method, path, handler in table]
    infer = [Route(f"{base}/infer", answers.server, methods=["POST"]) for base in (model, version)]
    return Starlette(routes=[*found, *infer], exception_handlers={HTTPException: answers.unknown})


class _Answers:
    """The handlers; each refuses what has no token, but those for health."""

    def __init__(self, app: ReplicaApp) -> None:
        self._app = app
        self._metadata = app.served.metadata()
        self._openapi = openapi.document(self._metadata, __version__)

    def counted(self, handler: _Handler) -> _Handler:
        """The handler with its refusals answered and its answers counted."""

        async def answer(request: Request) -> Response:
            try:
                response = await handler(request)
            except Refused as refused:
                status, body, headers = self._app.refused(refused)
                response = Response(body, status, {name.decode(): value.decode() for name, value in headers})
            except Gone:
                response = Response(status_code=400)
            if not request.url.path.startswith("/v2/health/"):  # the gateway asks four times a second
                self._app.figures.requests[response.status_code] += 1
            return response

        return answer

    async def unknown(self, request: Request, error: Exception) -> Response:
        """A path or method that is not there."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        said = {"error": f"{request.method} is not known here" if status == 405 else "no such path or model"}
        headers = error.headers if isinstance(error, HTTPException) else None
        response = _json(said, status)
        response.headers.update(headers or {})
        self._app.figures.requests[status] += 1
        return response

    async def server(self, request: Request) -> Response:
        self._authorize(request)
        return _json(SERVER)

    async def live(self, request: Request) -> Response:
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        if request.headers.get("authorization"):
            self._authorize(request)  # a check by the gateway renews the lease
        ready = self._app.ready and not self._app.draining
        return _json({"ready": ready, "version": self._app.served.version}, 200 if ready else 503)

    async def metadata(self, request: Request) -> Response:
        self._authorize(request)
        return _json(self._metadata)

    async def openapi(self, request: Request) -> Response:
        self._authorize(request)
        return _json(self._openapi)

    async def index(self, request: Request) -> Response:
        body = await self._body(request)
        given = strict_json.loads(body) if body.strip() else {}
        if not given.keys() <= {"ready"}:
            raise Refused(400, "the index takes {} or {'ready': true}", "json")
        served = self._app.served
        state = "READY" if self._app.ready else "UNAVAILABLE"
        listed = [{"name": served.name, "version": served.version, "state": state, "reason": ""}]
        return _json([] if given.get("ready") is True and state != "READY" else listed)

    async def metrics(self, request: Request) -> Response:
        self._authorize(request)
        return Response(self._app.figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def drift(self, request: Request) -> Response:
        self._authorize(request)
        return _json({"version": self._app.served.version, "counts": self._app.drift.counts()})

    async def explain(self, request: Request) -> Response:
        body = await self._body(request)
        served = self._app.served
        asked = inference.read(body, read_head(request.scope["headers"]).json_length, self._app.limits)
        asked.binary, asked.all_binary = set(), False
        X = inference.features(served, asked)
        answers = served.answers(served.margin(X))
        outputs = inference.answer(served, asked.outputs, True, X, answers)
        text, _ = inference.write(b'{"model_name":%b,"model_version":%b' % self._names(), asked, outputs)
        extra = {
            "features": served.features,
            "explanations": served.explanations(X, outputs[inference.CONTRIBUTION]),
        }
        names = {"x-model-name": served.name, "x-model-version": served.version}
        return Response(text[:-1] + b"," + orjson.dumps(extra)[1:], 200, names, "application/json")

    async def feedback(self, request: Request) -> Response:
        given = strict_json.loads(await self._body(request))
        return _json({"rows": self._app.labels.add(given)})

    async def quality(self, request: Request) -> Response:
        self._authorize(request)
        return _json({"version": self._app.served.version, "hours": self._app.labels.quality()})

    def _names(self) -> tuple[bytes, bytes]:
        return orjson.dumps(self._app.served.name), orjson.dumps(self._app.served.version)

    def _authorize(self, request: Request) -> None:
        self._app.authorize(read_head(request.scope["headers"]))

    async def _body(self, request: Request) -> bytes:
        head = read_head(request.scope["headers"])
        self._app.authorize(head)
        return await read_body(request.receive, head, self._app.limits)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
