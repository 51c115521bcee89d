"""A cluster with the data persisted on it, and what its scheduler and workers can tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, SchedulerPlugin, wait

dask.config.set({"distributed.diagnostics.nvml": False, "distributed.comm.timeouts.connect": "60s"})


@contextmanager
def client(workers: int = 2, memory_limit: str = "6GB") -> Iterator[Client]:
    """A client of worker processes of one thread each."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory_limit,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as connected,
    ):
        connected.wait_for_workers(workers, timeout=120)
        yield connected


def rows_of(path: str, start: int, stop: int) -> Any:
    """Rows of an array on disk, read into memory (a map of the file would count as memory, too)."""
    with Path(path).open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        width = int(np.prod(shape[1:], dtype=int))
        file.seek(start * width * dtype.itemsize, 1)
        return np.fromfile(file, dtype, (stop - start) * width).reshape(-1, *shape[1:])


def lazy(folder: str, name: str, chunk_rows: int) -> Any:
    """A dask array of a file, whose chunks are read by the worker that asks for them."""
    path = str(Path(folder) / f"{name}.npy")
    whole = np.load(path, mmap_mode="r")
    blocks = []
    for start in range(0, len(whole), chunk_rows):
        stop = min(start + chunk_rows, len(whole))
        block = dask.delayed(rows_of, pure=True)(path, start, stop)
        blocks.append(da.from_delayed(block, (stop - start, *whole.shape[1:]), whole.dtype))
    return da.concatenate(blocks)


def persisted(*arrays: Any) -> list[Any]:
    """The arrays in the memory of the workers."""
    held = dask.persist(*arrays)
    wait(held)
    return list(held)


class Tasks(SchedulerPlugin):
    """Counts the tasks that ran."""

    name = "benchmark-tasks"

    def __init__(self) -> None:
        self.ran = 0

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        self.ran += start == "processing" and finish == "memory"


def count_tasks(connected: Client) -> None:
    """From now on the scheduler counts."""
    connected.register_plugin(Tasks())


def tasks_so_far(connected: Client) -> int:
    """How many tasks have run since then."""

    def ask(dask_scheduler: Any) -> int:
        return int(dask_scheduler.plugins["benchmark-tasks"].ran)

    return int(connected.run_on_scheduler(ask))


def worker_pids(connected: Client) -> list[int]:
    """The process of each worker."""
    import os

    return list(connected.run(os.getpid).values())
