"""Requests that go the short way, and those that must not: an application that says which way each came."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daskml_dist.security import Limits
from daskml_dist.serve.bodies import read_body, read_head, respond
from daskml_dist.serve.bounded_http import close_overdue
from daskml_dist.serve.exchange import Exchange, started
from daskml_dist.serve.replica import listen, server_of

CHUNKED = b"POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
LIMITS = Limits(json_bytes=2000, seconds=1.0)


class App:
    """Echoes bodies behind the way that they came; /later answers when it is asked for /now."""

    def __init__(self) -> None:
        self.waiting: list[Exchange] = []
        self.at_once = {b"/echo": self.echo, b"/later": self.waiting.append, b"/broken": self.broken}

    def echo(self, exchange: Exchange) -> None:
        exchange.reply(started(200, []), b"short " + exchange.body)

    def broken(self, exchange: Exchange) -> None:
        raise RuntimeError("a bug")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive, read_head(scope["headers"]), LIMITS)
        if scope["path"] == "/now":
            for exchange in self.waiting:
                exchange.reply(started(200, []), b"later " + exchange.body)
            self.waiting.clear()
        await respond(send, 200, [], b"long " + body)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = listen("127.0.0.1", 0)
    server = server_of(App(), LIMITS)
    server.config.timeout_keep_alive = 2

    async def run() -> None:
        watch = asyncio.create_task(close_overdue(server.server_state.connections, 0.1))
        await server.serve(sockets=[listener])
        watch.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    server.should_exit = True
    thread.join(10)


def post(path: str, body: bytes, *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = [
        f"{method} {path} HTTP/{version}",
        "host: test",
        f"content-length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def talk(port: int, *pieces: bytes, answers: int = 1, pause: float = 0.05) -> list[bytes]:
    """The bodies of so many answers, or of those that come until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(pause)
        found, rest = [], b""
        while len(found) < answers:
            match = re.search(rb"content-length: (\d+).*?\r\n\r\n", rest, re.DOTALL)
            if match is not None and len(rest) >= match.end() + int(match[1]):
                found.append(rest[match.end() : match.end() + int(match[1])])
                rest = rest[match.end() + int(match[1]) :]
            elif part := client.recv(65536):
                rest += part
            else:
                break
        return found


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([post("/echo", b"a")], b"short a"),
        ([post("/echo", b"ab")[:-1], b"b"], b"short ab"),
        ([post("/echo", b"")], b"short "),
        ([post("/echo?x=1", b"a")], b"long a"),
        ([post("/%65cho", b"a")], b"long a"),
        ([post("/other", b"a")], b"long a"),
        ([post("/echo", b"a", method="PUT")], b"long a"),
        ([post("/echo", b"a", version="1.0")], b"long a"),
        ([post("/echo", b"a", "connection: close")], b"long a"),
        ([post("/echo", b"a" * 2000)], b"short " + b"a" * 2000),
        ([post("/echo", b"a")[:20], post("/echo", b"a")[20:]], b"long a"),
        ([CHUNKED], b"long a"),
    ],
)
def test_which_way(port: int, pieces: list[bytes], expected: bytes) -> None:
    assert talk(port, *pieces) == [expected]


def test_answers_come_in_the_order_of_the_requests(port: int) -> None:
    together = b"".join(post("/slow" if i == 3 else "/echo", b"%d" % i) for i in range(9))
    told = talk(port, together, answers=9)
    assert [int(answer.split()[1]) for answer in told] == list(range(9))
    assert [answer.split()[0] for answer in told] == [b"short"] * 3 + [b"long"] * 6


def test_an_answer_that_comes_later_is_waited_for(port: int) -> None:
    """The requests behind it on the same connection, too."""
    found: list[list[bytes]] = []
    both = post("/later", b"1") + post("/echo", b"2")
    thread = threading.Thread(target=lambda: found.append(talk(port, both, answers=2)))
    thread.start()
    time.sleep(0.3)
    assert not found
    assert talk(port, post("/now", b"3")) == [b"long 3"]
    thread.join(10)
    assert found == [[b"later 1", b"long 2"]]


def test_a_client_that_left_does_no_harm(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(post("/later", b"1"))
        time.sleep(0.1)
    assert talk(port, post("/now", b"2")) == [b"long 2"]
    assert talk(port, post("/echo", b"3")) == [b"short 3"]


def test_a_bug_is_a_500_and_the_connection_is_closed(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setLevel(0)  # a cluster of another test may have silenced it
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(post("/broken", b"1"))
        told = b"".join(iter(lambda: client.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 500 ") and b"connection: close" in told
    assert "a bug" in caplog.text


def test_a_connection_without_requests_is_closed_in_time(port: int) -> None:
    """Idle after an answer for the time to keep alive; before the first request for the time of a request."""
    for sent, least, most in ((post("/echo", b"1"), 1.9, 4.0), (b"", 0.9, 2.5)):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            began = time.monotonic()
            if sent:
                client.sendall(sent)
                assert b"short 1" in client.recv(65536)
            assert client.recv(65536) == b""
            assert least < time.monotonic() - began < most


def test_a_body_that_never_ends_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(post("/echo", b"12345")[:-2])
        assert client.recv(65536) == b""
