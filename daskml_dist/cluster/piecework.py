"""Pieces of work that know nothing of each other, a few at a time, on a cluster or in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

from distributed import Client, Future

from daskml_dist.cluster.connect import client_for
from daskml_dist.cluster.supervisor import Patience, Supervisor

R = TypeVar("R")
_AHEAD = 2  # pieces for each thread: one that is worked on, and one that waits


def piecework(
    function: Callable[[Any], R],
    pieces: Sequence[Any],
    scheduler: Any = None,
    patience: Patience | None = None,
) -> Iterator[R]:
    """``function(piece)`` for each piece, in the order in which they are done.

    A piece whose worker dies is done again by another one, so that doing it twice must not matter. The first
    error ends it. Results should be small: what is large, a piece writes itself.

    Parameters
    ----------
    function, pieces : picklable.
    scheduler : as of an estimator: None for the current client or else threads, "threads", a client, or an
        address.
    patience : how long to wait for the cluster.
    """
    client = client_for(scheduler)
    if client is None:
        yield from _in_threads(function, pieces)
    else:
        yield from _OnWorkers(client, function, pieces, patience or Patience()).results()


def _in_threads(function: Callable[[Any], R], pieces: Sequence[Any]) -> Iterator[R]:
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        left = iter(pieces)
        running = {pool.submit(function, piece) for piece in islice(left, _AHEAD * threads)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    running |= {pool.submit(function, piece) for piece in islice(left, 1)}
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


class _OnWorkers:
    """Keeps as many pieces on the way as the workers have use for."""

    def __init__(
        self, client: Client, function: Callable[[Any], Any], pieces: Sequence[Any], patience: Patience
    ) -> None:
        self._client, self._function = client, function
        self._left = list(reversed(pieces))
        self._running: dict[Future[Any], Any] = {}
        self._supervisor = Supervisor(client, patience)

    def results(self) -> Iterator[Any]:
        """Of all pieces."""
        try:
            while self._left or self._running:
                yield self._supervisor.insist(self._next, self._again, list)
        finally:
            self._client.cancel(list(self._running))
            self._supervisor.dismiss()

    def _next(self) -> Any:
        threads = sum(info["nthreads"] for info in self._supervisor.workers().values())
        while self._left and len(self._running) < _AHEAD * max(threads, 1):
            piece = self._left.pop()
            key = f"daskml-dist-piece-{uuid4().hex}"
            future = self._client.submit(self._function, piece, key=key, pure=False)
            self._running[future] = piece
        done = self._supervisor.first(lambda: list(self._running), 1.0)
        result = self._supervisor.fetch(done)
        del self._running[done]
        return result

    def _again(self, trouble: BaseException) -> None:
        """What was lost is to be done once more, under other keys."""
        for future in [future for future in self._running if future.status in ("error", "lost", "cancelled")]:
            self._left.append(self._running.pop(future))
