"""Work that is late is started once more elsewhere; the first answer counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median
from typing import Any, final

from distributed import Client, Future

#: share of the shards that must have answered, and how many times their median the others may take
QUANTILE, MULTIPLE = 0.75, 3.0
#: seconds: earlier than this nothing is late
LEAST = 2.0
#: seconds between two looks
PULSE = 0.05


def overdue(now: float, arrivals: Sequence[float | None]) -> list[int]:
    """The numbers of the shards that are late, by when the others answered.

    Parameters
    ----------
    now : seconds since the question was asked.
    arrivals : the same when each shard answered; None where it has not.
    """
    there = [arrival for arrival in arrivals if arrival is not None]
    enough = max(1, int(QUANTILE * len(arrivals)))
    if len(there) < enough or now <= max(MULTIPLE * median(there), LEAST):
        return []
    return [number for number, arrival in enumerate(arrivals) if arrival is None]


@final
class Race:
    """The answer to one question, and another one from copies of what is late.

    Parameters
    ----------
    client : whose futures they are.
    final : the answer.
    asks : the work of each shard that it is made from.
    copy : given the numbers of shards that are late and seconds since the question was asked, starts
        another answer; None where that does not pay yet.
    """

    def __init__(
        self,
        client: Client,
        final: Future[Any],
        asks: list[Future[Any]],
        copy: Callable[[list[int], float], Future[Any] | None],
    ) -> None:
        self.client, self.final, self.asks = client, final, asks
        self.copied: Future[Any] | None = None
        self._copy = copy
        self._began = time.monotonic()
        self._arrivals: list[float | None] = [None] * len(asks)

    def candidates(self) -> list[Future[Any]]:
        """The futures of which the first one counts."""
        now = self.waited
        for number, ask in enumerate(self.asks):
            if self._arrivals[number] is None and ask.status == "finished":
                self._arrivals[number] = now
        if self.copied is None and (late := overdue(now, self._arrivals)):
            with suppress(OSError, TimeoutError):  # whatever the network does, the answer is waited for
                self.copied = self._copy(late, now)
        if self.copied is None or self.copied.status not in ("pending", "finished"):
            return [self.final]
        return [self.final, self.copied]

    @property
    def waited(self) -> float:
        """Seconds since the question was asked."""
        return time.monotonic() - self._began

    def end(self) -> None:
        """Cancel what still runs, and let go of all."""
        futures = [self.final, *self.asks] + ([] if self.copied is None else [self.copied])
        with suppress(OSError, TimeoutError):
            if running := [future for future in futures if not future.done()]:
                self.client.cancel(running)
        for future in futures:
            future.release()
