"""A closed-loop HTTP client that remembers every request: what was answered, by which version, and how fast.

Each connection sends its next request when the last was answered. A request is a failure where the connection
broke, or the answer is not 200, or bears another id than the request.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop


@dataclass
class Report:
    """What a load has seen.

    ``answers`` has (id, status, version, when it was sent, seconds it took) for each request; status 0
    stands for a connection that broke.
    """

    answers: list[tuple[int, int, str, float, float]] = field(default_factory=list)
    mixed_up: int = 0

    @property
    def failed(self) -> list[tuple[int, int, str, float, float]]:
        return [answer for answer in self.answers if answer[1] != 200]

    @property
    def versions(self) -> Counter[str]:
        return Counter(answer[2] for answer in self.answers)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer[1] for answer in self.answers)

    def quantile(self, share: float) -> float:
        """Seconds, of requests that were answered."""
        times = sorted(answer[4] for answer in self.answers if answer[1] == 200)
        return times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")

    def summary(self) -> dict[str, Any]:
        seconds = max((a[3] + a[4] for a in self.answers), default=0) - min(
            (a[3] for a in self.answers), default=0
        )
        return {
            "requests": len(self.answers),
            "failed": len(self.failed) + self.mixed_up,
            "per_second": round(len(self.answers) / seconds) if seconds else 0,
            "p50_ms": round(1e3 * self.quantile(0.5), 2),
            "p99_ms": round(1e3 * self.quantile(0.99), 2),
            "p999_ms": round(1e3 * self.quantile(0.999), 2),
            "statuses": dict(self.statuses),
            "versions": dict(self.versions),
        }


class Load:
    """Requests from several connections until `stop`, or until there were enough.

    Parameters
    ----------
    url : with the path to post to.
    body : JSON with the text ``@id@`` where the id goes (as text of 12 digits).
    pause : seconds between an answer and the next request of a connection, on average; each is another one,
        so that connections do not ask all at once.
    """

    def __init__(
        self,
        url: str,
        body: bytes,
        *,
        token: str | None = None,
        connections: int = 8,
        requests: int | None = None,
        headers: dict[str, str] | None = None,
        pause: float = 0.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.parts = urlsplit(url)
        self.token, self.connections, self.pause, self.context = token, connections, pause, context
        self.before, _, self.after = body.partition(b"@id@")
        self.extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.left = requests
        self.report = Report()
        self.ending = False
        self.next_id = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, timeout: float = 60.0) -> Report:
        """End when the requests that are under way are answered."""
        self.ending = True
        return self.wait(timeout)

    def wait(self, timeout: float = 600.0) -> Report:
        """Wait until there were enough requests."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError("the load does not end: a request is without an answer")
        return self.report

    def start(self) -> Load:
        self._thread.start()
        return self

    def request(self) -> tuple[int, bytes] | None:
        """The next request, or None where it is enough."""
        if self.ending or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        self.next_id += 1
        body = b"%b%012d%b" % (self.before, self.next_id, self.after)
        head = (
            f"POST {self.parts.path} HTTP/1.1\r\nhost: {self.parts.netloc}\r\ncontent-length: {len(body)}\r\n"
        )
        head += "content-type: application/json\r\n" + self.extra
        if self.token:
            head += f"authorization: Bearer {self.token}\r\n"
        return self.next_id, head.encode() + b"\r\n" + body

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._connection() for _ in range(self.connections)))

    async def _connection(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.ending and self.left != 0:
            done = loop.create_future()
            try:
                await loop.create_connection(
                    lambda done=done: _Connection(self, done),
                    self.parts.hostname,
                    self.parts.port,
                    ssl=self.context,
                )
            except OSError:
                self.report.answers.append((0, 0, "", time.perf_counter(), 0.0))
                await asyncio.sleep(0.05)
                continue
            await done


class _Connection(asyncio.Protocol):
    """One connection; the answer's head and body are parsed by hand, which costs least."""

    def __init__(self, load: Load, done: asyncio.Future[None]) -> None:
        self.load, self.done = load, done
        self.identity = 0
        self.sent = 0.0
        self.data = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.load.request()
        if request is None:
            self.transport.close()
            return
        self.identity, data = request
        self.sent = time.perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
        if len(self.data) < end + 4 + length:
            return
        body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
        self.answered(head, body)

    def answered(self, head: bytes, body: bytes) -> None:
        status = int(head[9:12])
        at = head.find(b"x-model-version:")
        version = head[at + 16 :].split(b"\r\n", 1)[0].strip().decode() if at > 0 else ""
        took = time.perf_counter() - self.sent
        self.load.report.answers.append((self.identity, status, version, self.sent, took))
        if status == 200 and b"%012d" % self.identity not in body:
            self.load.report.mixed_up += 1
        self.identity = 0
        if self.load.pause:
            asyncio.get_running_loop().call_later(random.uniform(0.0, 2.0) * self.load.pause, self.send)
        else:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.identity:
            took = time.perf_counter() - self.sent
            self.load.report.answers.append((self.identity, 0, "", self.sent, took))
        if not self.done.done():
            self.done.set_result(None)
