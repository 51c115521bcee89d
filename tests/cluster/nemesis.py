"""What breaks clusters in the tests of this room, and the seeded data that can always be made anew."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskml_dist.cluster import OnDask, Patience
from daskml_dist.fit import Outcome, Training, fit
from daskml_dist.losses import Logistic
from daskml_dist.penalties import L2

FEATURES = 6

#: quick to look, slow to give up: the machine may be busy
PATIENT = Patience(tick=0.1, silent_worker=60.0, no_workers=60.0, stalled=240.0, attempts=20)

#: many passes, so that there is something to disturb
LOGISTIC = Training(
    name="Logistic",
    loss=Logistic(),
    penalty=lambda total: L2(1.0 / total),
    labels=True,
    solver="lbfgs",
    tol=1e-13,
    verbose=0,
    patience=PATIENT,
)


@contextmanager
def own_cluster(workers: int = 2, memory_limit: str = "1GiB") -> Iterator[LocalCluster]:
    """Worker processes of one thread each, for one test alone: it may do to them what it likes."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=memory_limit,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as running:
        yield running


def pids(client: Client) -> dict[str, int]:
    """The process of each worker that the scheduler knows, by address; none while they come and go."""
    with suppress(OSError, TimeoutError):
        found: dict[str, Any] = client.run(os.getpid, on_error="return")
        return {address: pid for address, pid in found.items() if isinstance(pid, int)}
    return {}


def kill(pid: int, signal_number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was a process to hear it."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


class Nemesis:
    """Kills a random worker at random times, in a thread of its own, for as long as the block lasts.

    It strikes only where all workers are back, so that a slow machine gets somewhere between two deaths.
    """

    def __init__(self, client: Client, seed: int | str, low: float, high: float, workers: int = 2) -> None:
        self.client, self.rng, self.pause, self.workers = client, random.Random(seed), (low, high), workers
        self.kills = 0
        self._stop = Event()
        self._thread = Thread(target=self._haunt, name="nemesis", daemon=True)

    def __enter__(self) -> Nemesis:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _haunt(self) -> None:
        while not self._stop.wait(self.rng.uniform(*self.pause)):
            there = sorted(pids(self.client).values())
            if len(there) == self.workers and not self._stop.is_set():
                self.kills += kill(self.rng.choice(there))


def whole(cluster: LocalCluster, client: Client, workers: int = 2) -> bool:
    """Ask for the workers that died, which nobody replaces otherwise; whether all are there."""
    cluster.scale(workers)
    return len(client.scheduler_info(n_workers=-1)["workers"]) == workers


def at_question(number: int, act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> list[OnDask]:
    """Act just before a fit on a cluster asks this question, once; the hands of the fits, as they come."""
    hands: list[OnDask] = []
    asked = [0]
    answer = OnDask.answer

    def disturbed(self: OnDask, question: Any) -> Any:
        if self not in hands:
            hands.append(self)
        asked[0] += 1
        if asked[0] == number:
            act()
        return answer(self, question)

    monkeypatch.setattr(OnDask, "answer", disturbed)
    return hands


def kill_all(client: Client) -> None:
    """Kill all workers at once."""
    for pid in pids(client).values():
        kill(pid)


def until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something holds, or soon will."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


# ------------------------------------------------------------------------------------------ data


def seeded(rows: int = 20_000, chunk: int = 2_500) -> tuple[Any, Any, Any]:
    """X, labels and counts as dask arrays that are graphs of seeded tasks: a lost chunk can be made anew."""
    X = da.random.default_rng(0).normal(size=(rows, FEATURES), chunks=(chunk, FEATURES))
    z = X[:, :3].sum(axis=1) / 2
    noise = da.random.default_rng(1).normal(size=rows, chunks=chunk)
    counts = da.floor(da.exp(z / 2 + noise / 4) + 0.5)
    return X, (z + noise > 0).astype(int), counts


def blocks(array: Any, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The array with each block passed through a function of its own task."""
    return array.map_blocks(change, dtype=array.dtype, meta=np.empty((0,) * array.ndim, array.dtype))


def train(scheduler: Any, X: Any, y: Any, **changes: Any) -> Outcome:
    """A fit of the logistic model."""
    return fit(replace(LOGISTIC, scheduler=scheduler, **changes), X, y)


@contextmanager
def whole_client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of a cluster that has all of its workers, also after a test that killed some."""
    with Client(cluster) as connected:
        assert until(lambda: whole(cluster, connected), seconds=200)
        yield connected


def bits(outcome: Outcome) -> tuple[bytes, bytes, int]:
    """What was found, to the last bit, and in how many passes."""
    state = outcome.solution.state
    assert state.point is not None
    return state.point.w.tobytes(), state.point.raw_intercept.tobytes(), state.passes


class Counter:
    """Counts calls in all processes: each call appends a byte to a file of its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count(self, name: str) -> None:
        """One more of this name."""
        file = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, b".")
        finally:
            os.close(file)

    def block(self, block: np.ndarray) -> np.ndarray:
        """A block as it is, counted by its first number."""
        self.count(f"{block[0, 0]:.12f}")
        return block

    def counts(self) -> dict[str, int]:
        """How often each name was counted."""
        return {path.name: path.stat().st_size for path in self.folder.iterdir()}
