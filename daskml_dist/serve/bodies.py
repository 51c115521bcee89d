"""Heads and bodies of HTTP messages in ASGI: read within limits, written in one piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, final

import orjson

from daskml_dist.security import Limits
from daskml_dist.serve.refusals import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
_DISCARDED = 4  # times the largest body: so much of a larger one is read and dropped


@final
class Head(NamedTuple):
    """What matters of the headers of a request.

    Attributes
    ----------
    authorization : as given, or empty.
    length : of the body as announced, or None.
    json_length : of the JSON before binary tensors, or None.
    """

    authorization: bytes
    length: int | None
    json_length: int | None


class Gone(Exception):
    """The client closed the connection before its request was there."""


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Look once at all headers.

    Raises
    ------
    Refused
        400 where a length is none, or a header that must be unique is given twice.
    """
    authorization, length, json_length = b"", None, None
    for name, value in headers:
        if name == b"authorization":
            if authorization:
                raise Refused(400, "two Authorization headers", "headers")
            authorization = value
        elif name == b"content-length":
            length = int(value)  # the parser has refused what is no number
        elif name == b"inference-header-content-length":
            if json_length is not None:
                raise Refused(400, "two Inference-Header-Content-Length headers", "headers")
            json_length = _whole(value, "Inference-Header-Content-Length")
        elif name == b"content-encoding":
            raise Refused(415, "compressed bodies are not taken", "headers")
    return Head(authorization, length, json_length)


async def read_body(receive: Receive, head: Head, limits: Limits) -> bytes:
    """The body, if it is within the limits.

    Raises
    ------
    Refused
        413 where it is larger; nothing more of it is read.
    Gone
        The client left.
    """
    most = limits.json_bytes if head.json_length is None else limits.binary_bytes
    if head.length is not None and head.length > _DISCARDED * limits.binary_bytes:
        raise _too_large(most, close=True)
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    body: bytes = message.get("body", b"")
    if message["more_body"]:
        body = await _collect(receive, body, most, _DISCARDED * limits.binary_bytes)
    if len(body) > most:
        raise _too_large(most)
    return body


async def _collect(receive: Receive, first: bytes, most: int, end: int) -> bytes:
    """All parts of a body; of one that is too large only enough to tell, and a client that still sends is
    heard out.

    A connection that is closed while its client sends is reset, and the client never reads why.
    """
    parts, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part, more = message.get("body", b""), message["more_body"]
        if size <= most:
            parts.append(part)
        size += len(part)
        if size > end:
            raise _too_large(most, close=True)
    return b"".join(parts)


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send an answer."""
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_body(refused: Refused) -> bytes:
    """The JSON of a refusal."""
    return orjson.dumps({"error": refused.message})


def _whole(value: bytes, name: str) -> int:
    if not value.isdigit() or len(value) > 15:
        raise Refused(400, f"{name} must be a whole number", "headers")
    return int(value)


def _too_large(most: int, *, close: bool = False) -> Refused:
    return Refused(413, f"the body is larger than {most} bytes", "size", close=close)
