"""Workers whose sweeps take as long as a test says: their clocks are told, and nobody waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from distributed import Client

from daskml_dist.cluster import tasks
from daskml_dist.kernels import Kernel, Partial
from daskml_dist.types import Chunk

_answer = tasks.partial_answer


def simulate(seconds_per_row: float) -> None:
    """From now on the clock of this process goes by the rows that it sweeps, and by nothing else."""
    spent = [0.0]

    def counted(kernel: Kernel[Any], chunks: Iterable[Chunk]) -> Partial:
        def counting() -> Iterator[Chunk]:
            for chunk in chunks:
                rows = len(next(iter(chunk.columns.values()))) if chunk.columns else 0
                spent[0] += rows * seconds_per_row
                yield chunk

        return _answer(kernel, counting())

    tasks.partial_answer = counted
    tasks.clock = lambda: spent[0]


def restore() -> None:
    """Clocks as they are."""
    tasks.partial_answer, tasks.clock = _answer, time.perf_counter


def slow_down(client: Client, factors: dict[str, float], seconds_per_row: float = 1e-3) -> None:
    """Let workers take that many times as long as the others."""
    for worker in workers(client):
        client.run(simulate, factors.get(worker, 1.0) * seconds_per_row, workers=[worker])


def workers(client: Client) -> list[str]:
    """The addresses of the workers that the scheduler knows."""
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def stall_once(seconds: float) -> None:
    """The next sweep of this process begins that much later."""
    waiting = [seconds]

    def late(kernel: Kernel[Any], chunks: Iterable[Chunk]) -> Partial:
        if waiting:
            time.sleep(waiting.pop())
        return _answer(kernel, chunks)

    tasks.partial_answer = late
