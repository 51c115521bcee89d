"""BLAS held to one thread while kernels run: the threads of a pass are its parallelism.

The limit is global to the process. Each task setting and restoring it by itself would race, so the first of
those that run together sets it and the last one restores it. threadpoolctl lets only the thread that set a
limit lift it, and these two may be different threads; so a third one does both for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
_running = 0
_limits: list[Any] = []


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS has one thread in this process until all who entered have left.

    A limit that the user set around the call stays in force, whatever it is.
    """
    global _running
    with _lock:
        if _running == 0:
            _thread().submit(_limit).result()
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _thread().submit(_lift).result()


def _limit() -> None:
    limit: Any = _controller().limit(limits=1, user_api="blas")
    limit.__enter__()
    _limits.append(limit)


def _lift() -> None:
    _limits.pop().__exit__(None, None, None)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="daskml-dist-blas")


@cache
def _controller() -> Any:
    """Looks for the libraries once: kernels have loaded all that they call by now."""
    return ThreadpoolController()
