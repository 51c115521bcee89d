"""The application of a replica: a raw ASGI path for inference, Starlette for all that is rare.

What makes a request fast: one look at its headers, no routing, no middleware, counts in plain numbers.
"""

from __future__ import annotations

import hmac
import time
from math import isfinite
from typing import final

import numpy as np
import orjson

from daskml_dist.errors import InvalidData
from daskml_dist.security import Limits
from daskml_dist.serve import inference, strict_json
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
from daskml_dist.serve.drifting import Drift
from daskml_dist.serve.exchange import AtOnce, Exchange, started
from daskml_dist.serve.figures import ReplicaFigures
from daskml_dist.serve.labels import Labels
from daskml_dist.serve.one_row import one_row
from daskml_dist.serve.plain_requests import ENCODED, PlainRequests
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.replica_routes import routes
from daskml_dist.serve.served import Served
from daskml_dist.types import AnyArray, FloatArray


@final
class ReplicaApp:
    """An ASGI application that serves one model version.

    Parameters
    ----------
    served : the model.
    token : that each request must bear but those for health; None for no token.
    limits : of a request.
    """

    def __init__(self, served: Served, token: str | None, limits: Limits) -> None:
        self.served = served
        self.limits = limits
        self.labels = Labels(served.labels)
        columns = [*served.column_names, *served.features, ENCODED]
        self.drift = Drift(served.reference, served.model.watched)
        self.figures = ReplicaFigures(
            served.name, served.version, columns, time.time(), self.labels, self.drift
        )
        self.ready = False
        self.draining = False
        self.renewed = time.perf_counter()
        self._expected = None if token is None else b"Bearer " + token.encode()
        self._plain = PlainRequests(served.model.columns, len(served.features), limits)
        model = f"/v2/models/{served.name}"
        self._paths = frozenset({f"{model}/infer", f"{model}/versions/{served.version}/infer"})
        self._headers = [
            (b"content-type", b"application/json"),
            (b"x-model-name", served.name.encode()),
            (b"x-model-version", served.version.encode()),
        ]
        self._start = started(200, self._headers)
        self.at_once: AtOnce = {path.encode(): self._answer_at_once for path in self._paths}
        self._prefix = orjson.dumps({"model_name": served.name, "model_version": served.version})[:-1]
        self._one_row = one_row(served.model, self._prefix)
        self._rest = routes(self)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; an ASGI application is called so."""
        if scope["type"] != "http":
            return
        if scope["path"] not in self._paths or scope["method"] != "POST":
            await self._rest(scope, receive, send)
            return
        began = time.perf_counter()
        self.figures.inflight += 1
        try:
            head = read_head(scope["headers"])
            self.authorize(head)
            body = await read_body(receive, head, self.limits)
            status, payload, headers = self._inferred(body, head.json_length)
        except Refused as refused:
            status, payload, headers = self.refused(refused)
        except Gone:
            return
        finally:
            self.figures.inflight -= 1
        self.figures.answered(status, time.perf_counter() - began)
        await respond(send, status, headers, payload)

    def _answer_at_once(self, exchange: Exchange) -> None:
        """The same for a request that goes the short way."""
        began = time.perf_counter()
        try:
            head = exchange.asked.head
            self.authorize(head)
            status, payload, headers = self._inferred(exchange.body, head.json_length)
        except Refused as refused:
            status, payload, headers = self.refused(refused)
        self.figures.answered(status, time.perf_counter() - began)
        exchange.reply(self._start if headers is self._headers else started(status, headers), payload)

    def authorize(self, head: Head) -> None:
        """Refuse who does not know the token of the deployment; who does renews the lease.

        Raises
        ------
        Refused
            401.
        """
        if self._expected is not None and not hmac.compare_digest(head.authorization, self._expected):
            raise Refused(401, "a token is needed: Authorization: Bearer TOKEN", "token")
        self.renewed = time.perf_counter()

    def _inferred(self, body: bytes, json_length: int | None) -> tuple[int, bytes, Headers]:
        """Status, body and headers of the answer to a body."""
        payload, header_length = self.infer(body, json_length)
        if header_length is None:
            return 200, payload, self._headers
        binary = (b"content-type", b"application/octet-stream")
        length = (b"inference-header-content-length", b"%d" % header_length)
        return 200, payload, [binary, *self._headers[1:], length]

    def infer(self, body: bytes, json_length: int | None) -> tuple[bytes, int | None]:
        """The answer to a body, and the length of its JSON where binary tensors follow.

        Raises
        ------
        Refused
            Where the body is not what the model takes.
        """
        served, document = self.served, None
        if json_length is None:
            document = strict_json.parse(body)
            plain = self._plain.read(document, body)
            if plain is not None:
                identity, X = plain
                body_of_one = self._one(identity, X) if len(X) == 1 else None
                if body_of_one is not None:
                    return body_of_one, None
                return inference.write_plain(self._prefix, identity, self.predict(X, None, False)), None
        asked = inference.read(body, json_length, self.limits, document)
        X = inference.features(served, asked)
        return inference.write(self._prefix, asked, self.predict(X, asked.outputs, asked.explain))

    def _one(self, identity: str | None, X: FloatArray) -> bytes | None:
        """The answer to (1, p) features, counted; None where only the general way has one."""
        if self._one_row is None:
            return None
        began = time.perf_counter()
        margin = self._one_row.margin(X[0])
        if not isfinite(margin):
            return None
        body = self._one_row.answer(identity, margin)
        self.figures.predict_seconds.add(time.perf_counter() - began)
        self.drift.add_one(X, margin)
        return body

    def predict(self, X: FloatArray, wanted: list[str] | None, explain: bool) -> dict[str, AnyArray]:
        """The outputs for (n, p) features, counted."""
        began = time.perf_counter()
        margin = self.served.margin(X)
        outputs = inference.answer(self.served, wanted, explain, X, self.served.answers(margin))
        self.figures.predict_seconds.add(time.perf_counter() - began)
        self.drift.add(X, margin)
        return outputs

    def refused(self, refused: Refused) -> tuple[int, bytes, Headers]:
        """Status, body and headers of a refusal, counted."""
        self.figures.reject(refused.reason, refused.column)
        return refused.status, error_body(refused), [*self._headers, *refused.headers()]

    def warm_up(self) -> None:
        """Answer one row of zeros, so that the first client does not wait for what is done once."""
        p = len(self.served.features)
        X = np.zeros((1, p))
        try:
            answers = self.served.answers(self.served.margin(X))
            inference.write_plain(self._prefix, "", inference.answer(self.served, None, False, X, answers))
        except (Refused, InvalidData):
            pass  # zeros may be outside of what the model can answer
