"""The cluster that a command runs on: a local one of its own, somebody else's, or threads."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from distributed import Client, LocalCluster

from daskml_dist.errors import InvalidData

CONNECT = 10.0
"""Seconds to wait for a scheduler."""


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
