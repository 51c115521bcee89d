"""A scheduler and workers as processes of their own, at an address that stays: any of them may be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

ROOT = Path(__file__).resolve().parents[2]


@final
class Machines:
    """One scheduler, and workers of one thread; ``start`` starts those that are needed anew.

    Attributes
    ----------
    address : of the scheduler, the same after it was killed.
    """

    def __init__(self, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._count = workers
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the scheduler and as many workers."""
        where = ["--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard", "--no-jupyter"]
        self._scheduler = _process("distributed.cli.dask_scheduler", *where)
        size = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "1GiB"]
        self._workers += [
            _process("distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", *size)
            for _ in range(self._count)
        ]

    def kill_scheduler(self) -> None:
        """SIGKILL; the workers of a scheduler that is gone end by themselves."""
        assert self._scheduler is not None
        self._scheduler.kill()
        self._scheduler.wait()

    def restart(self) -> None:
        """Kill the scheduler and start everything again."""
        self.kill_scheduler()
        self.start()

    def stop(self) -> None:
        """Kill what is left."""
        for process in (self._scheduler, *self._workers):
            if process is not None:
                process.kill()
                process.wait()


@contextmanager
def machines(workers: int = 2) -> Iterator[Machines]:
    """Running machines for one test."""
    made = Machines(workers)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _process(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
