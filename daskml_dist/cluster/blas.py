"""BLAS held to one thread while kernels run.

The limit is global to the process. Setting it task by task would race, so the first fit of a
process sets it and the last one restores it.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
_holders: set[str] = set()
_limits: list[Any] = []


def hold_blas(fit_id: str) -> None:
    """Hold BLAS to one thread until ``release_blas`` is called for each fit that held it."""
    if fit_id in _holders:
        return
    with _lock:
        if not _holders:
            limit: Any = ThreadpoolController().limit(limits=1, user_api="blas")
            limit.__enter__()
            _limits.append(limit)
        _holders.add(fit_id)


def release_blas(fit_id: str) -> None:
    """Restore the threads of BLAS when no fit holds them any more."""
    with _lock:
        _holders.discard(fit_id)
        if not _holders and _limits:
            _limits.pop().__exit__(None, None, None)
