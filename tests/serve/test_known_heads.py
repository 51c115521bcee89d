"""Heads that came before: found only where parsing would have said the same."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest

from daskml_dist.security import Limits
from daskml_dist.serve.bodies import read_body, read_head, respond
from daskml_dist.serve.bounded_http import BoundedHttp
from daskml_dist.serve.exchange import Exchange, started
from daskml_dist.serve.known_heads import KnownHeads
from daskml_dist.serve.replica import listen, server_of
from daskml_dist.serve.routing import Target
from daskml_dist.serve.upstream import Answer, Connection, Lost, Pool

LIMITS = Limits(json_bytes=3000, seconds=5.0)


class Known(NamedTuple):
    length: int


class Unknowing(KnownHeads[Any]):  # type: ignore[misc]
    """Remembers nothing."""

    def find(self, data: bytes) -> None:
        return None


def test_only_whole_messages_are_found() -> None:
    heads: KnownHeads[Known] = KnownHeads()
    heads.keep(b"POST / HTTP/1.1\r\na: b\r\n\r\n12345", Known(5))
    known = b"POST / HTTP/1.1\r\na: b\r\n\r\n"
    assert heads.find(known + b"54321") == (Known(5), b"54321")
    for other in (
        known,
        known + b"1234",
        known + b"123456",
        known[:-1],
        b"\r\n" + known + b"12345",
        known.replace(b"b", b"c") + b"12345",
        b"",
        b"\r\n\r\n",
        b"\r\n\r\n12345",
    ):
        assert heads.find(other) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n1234",
        b"POST /\r\n\r\n123456",
        b"12345",
        b"\r\n\r\n12345",
        b"x" * 2000 + b"\r\n\r\n12345",
    ],
)
def test_what_is_not_remembered(data: bytes) -> None:
    heads: KnownHeads[Known] = KnownHeads()
    heads.keep(data, Known(5))
    assert heads.find(data) is None


def test_the_table_is_bounded() -> None:
    heads: KnownHeads[Known] = KnownHeads()
    for number in range(10_000):
        heads.keep(b"GET /%d\r\n\r\n" % number, Known(0))
    assert len(heads._known) <= 4096
    assert heads.find(b"GET /9999\r\n\r\n") == (Known(0), b"")


class App:
    """Echoes method, path, the header x-a and the body, and says which way they came."""

    def __init__(self) -> None:
        self.at_once = {b"/echo": self.echo}

    def echo(self, exchange: Exchange) -> None:
        exchange.reply(started(200, []), self.told("POST", "/echo", exchange.asked.headers, exchange.body))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive, read_head(scope["headers"]), LIMITS)
        await respond(send, 200, [], self.told(scope["method"], scope["path"], scope["headers"], body))

    def told(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        named = [value for name, value in headers if name == b"x-a"]
        return b"|".join([method.encode(), path.encode(), *named, body])


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Of a server that remembers heads, and of one that does not."""
    ended: list[Callable[[], None]] = []
    found = []
    for known in (KnownHeads[Any](), Unknowing()):
        listener = listen("127.0.0.1", 0)
        server = server_of(App(), LIMITS)
        server.config.http = type("BoundedHttp", (BoundedHttp,), {"limits": LIMITS, "known": known})
        thread = threading.Thread(
            target=lambda s=server, at=listener: asyncio.run(s.serve(sockets=[at])), daemon=True
        )
        thread.start()

        def end(server: Any = server, thread: threading.Thread = thread) -> None:
            server.should_exit = True
            thread.join(10)

        ended.append(end)
        found.append(int(listener.getsockname()[1]))
    yield found[0], found[1]
    for end in ended:
        end()


def answers(port: int, exchanges: list[tuple[list[bytes], int]]) -> list[bytes]:
    """The answers to pieces that are sent, so many to each, and what comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found, rest = list[bytes](), b""
        for pieces, expected in exchanges:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.002 * (len(pieces) > 1))
            for _ in range(expected):
                answer, rest = one_of(client, rest)
                found.append(answer)
        with suppress(OSError):  # the server may have closed
            client.shutdown(socket.SHUT_WR)
        while part := client.recv(1 << 20):
            rest += part
        return [*found, rest]


def one_of(client: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    """The first answer, and what came of the next ones."""
    while True:
        rest = rest.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")  # not sent if the body was there
        match = re.search(rb"content-length: (\d+).*?\r\n\r\n", rest, re.DOTALL)
        if match is not None and len(rest) >= (end := match.end() + int(match[1])):
            return rest[:end], rest[end:]
        part = client.recv(1 << 20)
        assert part, rest
        rest += part


LAST = [
    b"transfer-encoding: chunked\r\n",
    b"content-length: 1\r\n",
    b"connection: close\r\n",
    b"upgrade: h2c\r\nconnection: upgrade\r\n",
    b"broken\r\n",
]
"""Headers of a request after which a connection may be closed."""


def message(dice: random.Random, odd: bytes = b"") -> bytes:
    """A request: mostly one of few usual ones."""
    body = b"".join(dice.choices([b"a", b"\r\n\r\n", b"POST /echo HTTP/1.1\r\n"], k=dice.randint(0, 3)))
    extra = dice.choice([b"", b"", b"x-a: 1\r\n", b"x-a: 2\r\n", b"expect: 100-continue\r\n"]) + odd
    start = dice.choice([b"POST /echo HTTP/1.1"] * 8 + [b"PUT /echo HTTP/1.1", b"POST /other HTTP/1.1"])
    return b"%b\r\nhost: t\r\n%bcontent-length: %d\r\n\r\n%b" % (start, extra, len(body), body)


def cut(dice: random.Random, data: bytes) -> list[bytes]:
    """The same bytes in pieces, mostly one."""
    if dice.random() < 0.7:
        return [data]
    at = sorted(dice.randint(0, len(data)) for _ in range(dice.randint(1, 2)))
    return [data[i:j] for i, j in zip([0, *at], [*at, len(data)], strict=True) if i < j]


@pytest.mark.parametrize("seed", range(8))
def test_answers_are_those_of_a_server_that_remembers_nothing(ports: tuple[int, int], seed: int) -> None:
    dice = random.Random(seed)
    exchanges = [(cut(dice, message(dice)), 1) for _ in range(12)]
    exchanges += [([message(dice) + message(dice)], 2), ([message(dice)], 1)]
    exchanges += [([message(dice, dice.choice(LAST))], 1)]
    remembering, unknowing = (answers(port, exchanges) for port in ports)
    assert remembering == unknowing
    assert len(remembering) == 17


def test_the_second_request_is_not_parsed(ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = BoundedHttp._parsed

    def noted(self: BoundedHttp, data: bytes) -> Any:
        parsed.append(data)
        return parse(self, data)

    monkeypatch.setattr(BoundedHttp, "_parsed", noted)
    head = b"POST /echo HTTP/1.1\r\nhost: seldom\r\ncontent-length: 3\r\n\r\n"
    for _ in range(2):  # on another connection too
        told = answers(ports[0], [([head + body], 1) for body in (b"abc", b"def", b"ghi")])
        assert [answer[-3:] for answer in told] == [b"abc", b"def", b"ghi", b""]
    assert parsed == [head + b"abc"]


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        """Nothing."""

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def replica_says(*pieces: bytes, times: int = 2) -> list[Any]:
    """What becomes of as many requests, each answered by these pieces, and whether the connection stays."""

    async def talk() -> list[Any]:
        pool, told = Pool(), list[Any]()
        connection = Connection(pool, ("127.0.0.1", 1))
        connection.connection_made(Wire())  # type: ignore[arg-type]
        target = Target("r1", "1", "127.0.0.1", 1)
        for _ in range(times):
            connection.ask(b"", 1e9, told.append)
            for piece in pieces:
                connection.data_received(piece)
            told.append(pool.idle(target) is connection)
        pool.close()
        return told

    return asyncio.run(talk())


HEAD = b"HTTP/1.1 200 OK\r\nX-Model-Name: toy\r\nserver: x\r\ncontent-length: 2\r\n\r\n"
SEEN = [(b"x-model-name", b"toy")]
START = b"HTTP/1.1 200 OK\r\nx-model-name: toy\r\n"


def test_answers_of_replicas_are_the_same_parsed_or_known() -> None:
    answer = Answer(200, SEEN, START, b"ab")
    assert replica_says(HEAD + b"ab", times=3) == [answer, True] * 3
    assert replica_says(HEAD, b"ab") == [answer, True] * 2
    assert replica_says(HEAD[:10], HEAD[10:] + b"a", b"b") == [answer, True] * 2
    announced = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert replica_says(announced + HEAD + b"ab") == [answer, True] * 2
    assert replica_says(announced, HEAD + b"ab") == [answer, True] * 2
    chunks = b"HTTP/1.1 200 OK\r\nX-Model-Name: toy\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    assert replica_says(chunks) == [answer, True] * 2


def test_a_replica_that_closes_is_not_asked_again() -> None:
    leaving = HEAD.replace(b"server: x", b"connection: close")
    assert replica_says(leaving + b"ab", times=1) == [Answer(200, SEEN, START, b"ab"), False]


def test_an_answer_too_many_is_nobodys() -> None:
    async def talk() -> tuple[int, bool]:
        pool, told = Pool(), list[Any]()
        connection = Connection(pool, ("127.0.0.1", 1))
        wire = Wire()
        connection.connection_made(wire)  # type: ignore[arg-type]
        for _ in range(2):
            connection.ask(b"", 1e9, told.append)
            connection.data_received(HEAD + b"ab")
        connection.data_received(HEAD + b"cd")
        pool.close()
        return len(told), wire.closed

    assert asyncio.run(talk()) == (2, True)


def test_garbage_is_no_answer() -> None:
    told = replica_says(b"garbage", times=1)
    assert isinstance(told[0], Lost) and told[0].reason == "protocol" and told[1] is False
