"""A bare uvicorn application that reads a request and answers what never changes; argument: the port."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

ANSWER = b'{"model_name":"toy","model_version":"1","id":"000000000000","outputs":[{"name":"prediction","datatype":"FP64","shape":[1],"data":[1.0]}]}'  # noqa: E501
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        interface="asgi3",
    )
