"""Whatever is sent, the answer is a 4xx with an error in words, and the server goes on."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.conftest import SECRET, Replica

GOOD = {"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}
NAMES = ("f0", "f1", "f2", "passport")
AUTHORIZED = f"authorization: Bearer {SECRET}\r\n"


def inputs(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{name: value for name, value in (GOOD | changes).items() if value is not ...}]}


def refused(replica: Replica, body: dict[str, Any] | bytes, **more: Any) -> tuple[int, str]:
    response = replica.infer(body, **more)
    assert 400 <= response.status_code < 500, response.text
    return response.status_code, response.json()["error"]


BODIES: dict[str, tuple[Any, int, str]] = {
    "empty": (b"", 400, "JSON"),
    "list": (b"[]", 400, "object"),
    "deep": (b"[" * 100_000, 400, "JSON"),
    "deep in an object": (b'{"inputs":' + b"[" * 1000 + b"]" * 1000 + b"}", 400, "input"),
    "nan": (b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[NaN,1,2]}]}', 400, "JSON"),
    "1e400": (b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1e400,1,2]}]}', 400, "JSON"),
    "surrogate": (b'{"id":"\\ud800","inputs":[]}', 400, "JSON"),
    "latin": (b'{"id":"\xe9"}', 400, "JSON"),
    "twice": (b'{"inputs":[],"inputs":[]}', 400, "twice"),
    "twice inside": (json.dumps(inputs()).replace('"name"', '"name": "x", "name"').encode(), 400, "twice"),
    "unknown member": (inputs() | {"model": 1}, 400, "unknown"),
    "unknown parameter": (inputs() | {"parameters": {"fast": True}}, 400, "unknown"),
    "parameter of another type": (inputs() | {"parameters": {"explain": 1}}, 400, "bool"),
    "parameters a list": (inputs() | {"parameters": [1]}, 400, "object"),
    "id a number": (inputs() | {"id": 1}, 400, "id"),
    "no inputs": ({"inputs": []}, 400, "inputs"),
    "inputs an object": ({"inputs": {}}, 400, "inputs"),
    "an input is null": ({"inputs": [None]}, 400, "input"),
    "unknown output": (inputs() | {"outputs": [{"name": "odds"}]}, 400, "prediction"),
    "output twice": (inputs() | {"outputs": [{"name": "prediction"}] * 2}, 400, "twice"),
    "output without name": (inputs() | {"outputs": [{}]}, 400, "name"),
    "shape empty": (inputs(shape=[]), 400, "shape"),
    "shape missing": (inputs(shape=...), 400, "shape"),
    "shape negative": (inputs(shape=[-1, 3]), 400, "shape"),
    "shape of truth": (inputs(shape=[True, 3]), 400, "shape"),
    "shape of floats": (inputs(shape=[1.0, 3]), 400, "shape"),
    "shape too large": (inputs(shape=[10_000, 10**9]), 400, "elements"),
    "too many rows": (inputs(shape=[10_001, 3]), 413, "rows"),
    "no rows": (inputs(shape=[0, 3], data=[]), 422, "rows"),
    "three dims": (inputs(shape=[1, 1, 3]), 400, "shape"),
    "too few": (inputs(data=[1.0]), 400, "elements"),
    "ragged": (inputs(shape=[2, 3], data=[[1, 2, 3], [1, 2]]), 400, "shape"),
    "text": (inputs(data=["1", 2, 3]), 422, "numbers"),
    "truth": (inputs(data=[True, 2, 3]), 422, "numbers"),
    "objects": (inputs(data=[{}, 2, 3]), 422, "numbers"),
    "data missing": (inputs(data=...), 400, "data"),
    "null": (inputs(data=[None, 2, 3]), 422, "finite"),
    "datatype": (inputs(datatype="FLOAT"), 422, "datatype"),
    "datatype a list": (inputs(datatype=["FP64"]), 422, "datatype"),
    "fractions": (inputs(datatype="INT64"), 422, "whole"),
    "INT8": (inputs(datatype="INT8", data=[1, 2, 300]), 422, "INT8"),
    "FP16": (inputs(datatype="FP16", data=[1, 2, 1e9]), 422, "FP16"),
    "huge integer": (inputs(datatype="INT64", data=[1, 2, 2**63]), 422, "INT64"),
    "other width": (inputs(shape=[1, 2], data=[1, 2]), 422, "3"),
    "flat": (inputs(shape=[3]), 422, "shape"),
    "unknown column": ({"inputs": [inputs(name=n, shape=[3])["inputs"][0] for n in NAMES]}, 422, "passport"),
    "missing column": (inputs(name="f0", shape=[3]), 422, "f1"),
    "overflow": (inputs(data=[1e308, 1e308, 1e308]), 422, "finite"),
    "two inputs": ({"inputs": [GOOD, GOOD]}, 400, "same name"),
    "binary size without binary": (
        inputs(data=..., parameters={"binary_data_size": 24}),
        400,
        "binary_data_size",
    ),
    "binary size of truth": (inputs(data=..., parameters={"binary_data_size": True}), 400, "int"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_is_refused(regression: Replica, name: str) -> None:
    body, status, word = BODIES[name]
    got, error = refused(regression, body)
    assert (got, word.lower() in error.lower()) == (status, True), (got, error)


def test_a_good_body_is_not_refused(regression: Replica) -> None:
    assert regression.infer(inputs()).status_code == 200


def test_no_message_has_a_value_in_it(people: Replica) -> None:
    for name, values, datatype in (
        ("sex", ["sekret-4711"], "FP64"),
        ("age", ["sekret-4711"], "BYTES"),
        ("age", [4711.0471134], "INT64"),
        ("weight", [1e200], "FP32"),
    ):
        body = {"inputs": [{"name": name, "shape": [1], "datatype": datatype, "data": values}]}
        _, error = refused(people, body)
        assert "4711" not in error and "sekret" not in error
        assert name in error or "missing" in error


def test_binary_tensors_must_fit(regression: Replica) -> None:
    row = np.array([1.0, 2.0, 3.0]).tobytes()
    head = json.dumps(inputs(data=..., parameters={"binary_data_size": 24})).encode()

    def send(body: bytes, length: object = len(head)) -> Any:
        return regression.infer(body, headers={"inference-header-content-length": str(length)})

    assert send(head + row).json()["outputs"][0]["data"] == [15.0]
    for body, length in (
        (head + row[:-1], len(head)),
        (head + row + b"!", len(head)),
        (head, len(head)),
        (head + row, len(head) + 1000),
        (head + row, -1),
        (head + row, "1e2"),
        (head + row, 10**30),
    ):
        assert 400 <= send(body, length).status_code < 500
    nan = np.array([np.nan, 2.0, 3.0]).tobytes()
    assert send(head + nan).status_code == 422
    other = json.dumps(inputs(datatype="BYTES", data=..., parameters={"binary_data_size": 24})).encode()
    assert send(other + b"\xff" * 24, len(other)).status_code == 400


def test_a_large_body_is_refused_and_the_connection_lives(regression: Replica) -> None:
    status, error = refused(regression, b" " * 300_000)
    assert (status, "256000" in error) == (413, True)
    assert regression.infer(inputs()).status_code == 200


def raw(replica: Replica, data: bytes, *, pause: float = 0.0) -> bytes:
    """What comes back for bytes; empty where the connection is just closed."""
    host, port = replica.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        for start in range(0, len(data), 65_536):
            try:
                connection.sendall(data[start : start + 65_536])
            except OSError:
                break
        time.sleep(pause)
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
                if b"connection: close" not in answer and b"\r\n\r\n" in answer:
                    break
        except OSError:
            pass
        return answer


HEAD = f"POST /v2/models/toy/infer HTTP/1.1\r\nhost: a\r\n{AUTHORIZED}".encode()
PAYLOAD = json.dumps(inputs()).encode()
RAW = {
    "length and chunked": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    "length negative": HEAD + b"content-length: -5\r\n\r\n",
    "length of words": HEAD + b"content-length: five\r\n\r\n",
    "folded": HEAD + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "chunk size": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "header of a megabyte": HEAD + b"a: " + b"x" * 1_000_000,
    "headers of 64 kB at once": HEAD
    + b"".join(b"a%d: %b\r\n" % (i, b"x" * 100) for i in range(600))
    + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
    "HTTP/9": b"GET /v2 HTTP/9.9\r\n\r\n",
    "method": b"BREW /v2 HTTP/1.1\r\nhost: a\r\n\r\n",
    "two tokens": HEAD + AUTHORIZED.encode() + b"content-length: 0\r\n\r\n",
    "compressed": HEAD + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
    "other path": HEAD.replace(b"toy", b"..%2f..%2fetc") + b"content-length: 0\r\n\r\n",
    "percent": HEAD.replace(b"toy", b"%ff%00") + b"content-length: 0\r\n\r\n",
    "get": HEAD.replace(b"POST", b"GET") + b"\r\n",
    "length beyond all": HEAD + b"content-length: 99999999999\r\n\r\nabc",
}


@pytest.mark.parametrize("name", RAW)
def test_malformed_http_is_refused(regression: Replica, name: str) -> None:
    answer = raw(regression, RAW[name])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert regression.infer(inputs()).status_code == 200


def test_well_formed_rarities_are_answered(regression: Replica) -> None:
    chunks = b"".join(b"%x;name=value\r\n%b\r\n" % (len(part), part) for part in (PAYLOAD[:10], PAYLOAD[10:]))
    for data in (
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD,
    ):
        assert b"200 OK" in raw(regression, data, pause=0.2)
    twice = 2 * (HEAD + b"content-length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD)
    assert raw(regression, twice, pause=0.5).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
@pytest.mark.parametrize("cut", [20, len(HEAD), None], ids=["in the first", "in the headers", "after them"])
def test_an_offer_of_another_protocol_is_ignored(regression: Replica, offer: str, cut: int | None) -> None:
    """The body is a body: it is neither lost nor taken for the next request."""
    hidden = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"
    host, port = regression.url.removeprefix("http://").split(":")
    for body, status in ((PAYLOAD, b"200"), (hidden, b"400")):
        head = HEAD + b"connection: upgrade, http2-settings\r\nupgrade: %b\r\n" % offer.encode()
        head += b"http2-settings: AAMAAABkAAQAAP__\r\ncontent-length: %d\r\n\r\n" % len(body)
        data = head + body
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            for piece in (data[: cut or len(head)], data[cut or len(head) :]):
                connection.sendall(piece)
                time.sleep(0.1)
            connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [status, b"200"], answer
        assert b'"live"' not in answer


def test_nothing_follows_an_attempt_to_connect(regression: Replica) -> None:
    live = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"
    answer = raw(regression, b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n" + live, pause=0.3)
    assert answer.startswith(b"HTTP/1.1 4") and answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"connection: close" in answer


def test_a_request_that_never_ends_is_closed(start_replica: Any, tmp_path: Any) -> None:
    from tests.serve import model_directories

    replica = start_replica(model_directories.regression(tmp_path / "toy"), "--seconds", "1")
    for data in (b"", b"POST /v2 HTTP/1.1\r\n", HEAD + b"content-length: 100\r\n\r\nabc"):
        host, port = replica.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(data)
            assert connection.recv(100) == b""
    assert replica.infer(inputs()).status_code == 200


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "f0", "f1", "f2"]) | ANY,
        "shape": st.lists(st.integers(-2, 5), max_size=3) | ANY,
        "datatype": st.sampled_from(["FP64", "INT64", "BYTES"]) | ANY,
        "data": st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), max_size=9) | ANY,
        "parameters": ANY,
    },
)
DOCUMENT = st.fixed_dictionaries(
    {}, optional={"inputs": st.lists(TENSOR, max_size=4) | ANY, "outputs": ANY, "id": ANY, "parameters": ANY}
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENT, st.sampled_from(["infer", "explain", "feedback"]))
def test_no_document_is_a_fault_of_the_server(regression: Replica, document: Any, path: str) -> None:
    body = json.dumps(document).encode()
    response = regression.client.post(f"{regression.model}/{path}", content=body)
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    if response.status_code != 200:
        assert set(response.json()) == {"error"}
