"""Workers whose sweeps take as long as a test says: their clocks are told, and nobody waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import local
from typing import Any

from distributed import Client, get_worker

from daskml_dist.cluster import tasks
from daskml_dist.kernels import Kernel, Partial
from daskml_dist.types import Chunk

_answer = tasks.partial_answer
_thread = local()


def simulate(factors: dict[str, float], seconds_per_row: float) -> None:
    """From now on clocks go by the rows that are swept, times the factor of the worker."""

    def counted(kernel: Kernel[Any], chunks: Iterable[Chunk]) -> Partial:
        pace = seconds_per_row * factors.get(get_worker().address, 1.0)

        def counting() -> Iterator[Chunk]:
            for chunk in chunks:
                rows = len(next(iter(chunk.columns.values()))) if chunk.columns else 0
                _thread.spent = _spent() + rows * pace
                yield chunk

        return _answer(kernel, counting())

    tasks.partial_answer = counted
    tasks.clock = _spent


def stall_once(worker: str, seconds: float) -> None:
    """The next sweep of a worker begins that much later."""
    waiting = [seconds]

    def late(kernel: Kernel[Any], chunks: Iterable[Chunk]) -> Partial:
        if get_worker().address == worker and waiting:
            time.sleep(waiting.pop())
        return _answer(kernel, chunks)

    tasks.partial_answer = late


def restore() -> None:
    """Clocks as they are."""
    tasks.partial_answer, tasks.clock = _answer, time.perf_counter


def slow_down(client: Client, factors: dict[str, float], seconds_per_row: float = 1e-3) -> None:
    """Let workers take that many times as long as the others."""
    client.run(simulate, factors, seconds_per_row)


def workers(client: Client) -> list[str]:
    """The addresses of the workers that the scheduler knows."""
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def _spent() -> float:
    found: float = getattr(_thread, "spent", 0.0)
    return found
