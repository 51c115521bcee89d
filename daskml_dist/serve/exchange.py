"""The short way of a request: small, whole and known by its path, it is answered by a call of a function.

A task, and the messages of ASGI between it and the connection, cost more than a prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, final

from daskml_dist.serve.bodies import Head, Headers

MOST_BYTES = 65_536
"""Of a body that goes the short way."""
Answerer = Callable[["Exchange"], None]
AtOnce = Mapping[bytes, Answerer]
"""What an application answers at once, by the path as a client writes it: its attribute ``at_once``."""
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class _Nobody:
    """Nobody waits for messages of an exchange."""

    def set(self) -> None:
        """Nothing."""


@final
class RequestHead:
    """What the head of a request says; the same for all requests with the same one.

    Attributes
    ----------
    length : of the body.
    head, headers : what matters of the headers, and all of them.
    answer : who answers.
    passed : the head that goes to a replica, once it is made.
    """

    __slots__ = ("answer", "head", "headers", "length", "passed")

    def __init__(self, length: int, head: Head, headers: Headers, answer: Answerer) -> None:
        self.length, self.head, self.headers, self.answer = length, head, headers, answer
        self.passed = b""


@final
class Exchange:
    """A request, and the way back for its answer; for uvicorn a cycle like its own.

    Attributes
    ----------
    asked, body : of the request.
    """

    __slots__ = (
        "_protocol",
        "asked",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
    )
    message_event = _Nobody()

    def __init__(self, protocol: Any, asked: RequestHead) -> None:
        self._protocol, self.asked = protocol, asked
        self.body = b""
        self.more_body = self.keep_alive = True
        self.response_complete = self.disconnected = False

    @property
    def scope(self) -> RequestHead:
        """What tells requests apart."""
        return self.asked

    def reply(self, start: bytes, body: bytes) -> None:
        """Send the answer, once; a client that has left does not get it.

        Parameters
        ----------
        start : status line and headers but for the length, see ``started``.
        """
        self.response_complete = True
        protocol = self._protocol
        transport = protocol.transport
        if not self.disconnected:
            end = b"\r\n\r\n" if self.keep_alive else b"\r\nconnection: close\r\n\r\n"
            transport.write(b"%bcontent-length: %d%b%b" % (start, len(body), end, body))
            if not self.keep_alive:
                transport.close()
        protocol.on_response_complete()


def started(status: int, headers: Headers) -> bytes:
    """The beginning of an answer."""
    return _LINES[status] + b"".join([b"%b: %b\r\n" % pair for pair in headers])
