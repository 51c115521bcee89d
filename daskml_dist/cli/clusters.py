"""The cluster that a command runs on: a local one of its own, somebody else's, or threads."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, get_client, wait

from daskml_dist.errors import ClusterGaveUp, InvalidData

CONNECT = 10.0
"""Seconds to wait for a scheduler."""
PAUSED, STILL = 60.0, 600.0
"""Seconds that all workers may be paused for want of memory, and that no piece may be finished."""
SMALL = (
    "A worker needs some 300 MiB for itself; give the workers more memory (--memory-limit), fewer threads, "
    "or read smaller pieces (--blocksize)."
)


@contextmanager
def connected(
    workers: int | None, scheduler: str | None, memory_limit: str | None = None
) -> Iterator[Client | None]:
    """The default client meanwhile; None for threads of this process.

    Raises
    ------
    InvalidData
        The scheduler cannot be reached.
    """
    with ExitStack() as stack:
        yield _client(stack, workers, scheduler, memory_limit)


def _client(
    stack: ExitStack, workers: int | None, scheduler: str | None, memory_limit: str | None
) -> Client | None:
    if scheduler is not None:
        try:
            client: Client = stack.enter_context(Client(scheduler, timeout=CONNECT))
        except (OSError, ValueError) as error:
            raise InvalidData(f"--scheduler: {scheduler} cannot be reached: {error}") from error
        return client
    if workers is None:
        return None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), _workers_deaf_to_interrupts():
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=memory_limit or "auto",
                silence_logs=logging.CRITICAL,
            )
        )
    own: Client = stack.enter_context(Client(cluster))
    return own


def compute(parts: list[Any]) -> list[Any]:
    """The results of lazy pieces, in order: on the default client, or in threads.

    Raises
    ------
    ClusterGaveUp
        The workers died of these pieces, or nothing happens any more.
    """
    try:
        client: Client = get_client(timeout=0)
    except ValueError:
        return list(dask.compute(*parts, scheduler="threads"))
    futures = client.compute(parts)
    try:
        _watch(client, futures)
        return list(client.gather(futures))
    except KilledWorker as error:
        raise ClusterGaveUp(f"Workers died while they read the file. {SMALL}") from error
    except BaseException:
        client.cancel(futures)
        raise


def _watch(client: Client, futures: list[Any]) -> None:
    """Return once all are done or one has failed; complain where nothing happens."""
    done, changed, running = -1, time.monotonic(), time.monotonic()
    while True:
        states = [future.status for future in futures]
        if "error" in states or all(state != "pending" for state in states):
            return
        now = time.monotonic()
        if states.count("finished") != done:
            done, changed = states.count("finished"), now
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not workers or any(worker["status"] != "paused" for worker in workers):
            running = now
        if now - running > PAUSED:
            raise ClusterGaveUp(f"All workers have been out of memory for {PAUSED:.0f} s. {SMALL}")
        if now - changed > STILL:
            raise ClusterGaveUp(f"No piece of the file was read within {STILL:.0f} s. {SMALL}")
        wait_for = [future for future in futures if future.status == "pending"][:1]
        with suppress(TimeoutError):
            wait(wait_for, timeout=1.0)


@contextmanager
def _workers_deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile ignore Ctrl-C, which a terminal sends to all of them.

    This process decides what becomes of the training; workers that stop by themselves would print a
    traceback each. Ctrl-C within these moments is ignored here, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
