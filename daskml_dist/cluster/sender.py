"""Messages from the client to the topics of the scheduler: in order, several at once, and nobody waits."""

from __future__ import annotations

from asyncio import wait_for
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Lock
from typing import Any, final

from distributed import Client

_MOST = 10_000  # messages that wait: the oldest are dropped first
_PATIENCE = 10.0  # seconds for which a scheduler may not answer before what was sent is given up


@final
class Sender:
    """A queue, and one coroutine on the loop of the client that empties it.

    Messages that wait while others are on the way go together, as a list: a scheduler far away sees fewer
    and larger events, all of them in order. A single ``add_callback`` for each message loses the order.

    Parameters
    ----------
    client : of the scheduler.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = Lock()
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST)
        self._sent = Event()
        self._sent.set()

    def send(self, topic: str, message: Mapping[str, Any]) -> None:
        """Put a message into the queue; returns at once."""
        with self._lock:
            self._waiting.append((topic, dict(message)))
            if not self._sent.is_set():
                return
            self._sent.clear()
        loop: Any = self.client.loop
        loop.add_callback(self._drain)  # which does nothing once the client is closed

    def flush(self, seconds: float = 0.5) -> bool:
        """Wait, for so long at most, until everything was sent; whether it was."""
        return self._sent.wait(seconds)

    async def _drain(self) -> None:
        while True:
            with self._lock:
                batch = list(self._waiting)
                self._waiting.clear()
                if not batch:
                    self._sent.set()
                    return
            for topic in dict.fromkeys(topic for topic, _ in batch):
                told = [message for to, message in batch if to == topic]
                scheduler: Any = self.client.scheduler
                with suppress(Exception):  # the scheduler is gone; whoever asks it something will say so
                    await wait_for(
                        scheduler.log_event(topic=topic, msg=told[0] if len(told) == 1 else told), _PATIENCE
                    )
