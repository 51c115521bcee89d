"""What the machines are like: a handful of constants, measured or supposed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np

from daskml_dist.errors import UnsupportedParameter


@final
@dataclass(frozen=True, kw_only=True)
class Machine:
    """A cluster of equal workers, or one process. The defaults are those of a common server.

    Attributes
    ----------
    workers, threads : workers, and threads of each.
    memory : bytes that a worker may use.
    element : seconds for one element of X in a sweep for value and gradient.
    row : seconds for the loss of one row (its exponential) in such a sweep.
    product : seconds for one product x_i x_j, i <= j, of a row in a sweep for the Hessian.
    chunk : seconds for each chunk, whatever is in it.
    number : seconds for each number of a chunk's partial sums, to add it up exactly.
    task : seconds of the scheduler for each task.
    latency : seconds from the client's question to its answer where nothing is to be done.
    hop : seconds from the end of a task to the beginning of the one that waits for it.
    bandwidth : bytes a second from worker to worker.
    load : bytes a second that a worker loads where data are streamed. It is never measured, since that would
        read the data: state it with ``dataclasses.replace``.
    in_process : whether it is threads of one process, with nothing to send.
    measured : whether it was calibrated, and not supposed.
    """

    workers: int = 1
    threads: int = 1
    memory: float = 8 * 2.0**30
    element: float = 1e-9
    row: float = 1e-8
    product: float = 1.5e-10
    chunk: float = 1e-4
    number: float = 3e-8
    task: float = 5e-4
    latency: float = 1e-2
    hop: float = 5e-3
    bandwidth: float = 1e9
    load: float = 2e8
    in_process: bool = False
    measured: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("workers", "threads"):
                if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                    raise UnsupportedParameter(
                        f"Machine({field.name}={value!r}): expected a whole number from 1 up."
                    )
            elif not isinstance(value, bool | int | float | np.floating) or not value >= 0:
                raise UnsupportedParameter(
                    f"Machine({field.name}={value!r}): expected a number from 0 up; seconds, bytes, or bytes "
                    "a second."
                )
            elif field.name in ("bandwidth", "load", "memory") and value == 0:
                raise UnsupportedParameter(f"Machine({field.name}=0): expected a number above 0.")

    @property
    def slots(self) -> int:
        """Threads of all workers."""
        return self.workers * self.threads

    def at(self, workers: int) -> Machine:
        """The same with another number of workers.

        Several workers need a network: one process is then taken for a worker of a common cluster.
        """
        if not self.in_process or workers == 1:
            return replace(self, workers=workers)
        usual = Machine()
        return replace(
            self,
            workers=workers,
            in_process=False,
            task=usual.task,
            latency=usual.latency,
            hop=usual.hop,
            bandwidth=usual.bandwidth,
        )

    def alone(self) -> Machine:
        """One worker as a process without a cluster: nothing is sent and nobody schedules."""
        return replace(
            self, workers=1, in_process=True, task=0.0, latency=0.0, hop=0.0, bandwidth=float("inf")
        )

    @property
    def lines(self) -> list[str]:
        """The constants in words."""
        told = "measured" if self.measured else "supposed"
        where = "threads of one process" if self.in_process else f"{self.workers:,} workers"
        return [
            f"{where}, {self.threads} threads each, {self.memory / 2**30:.3g} GiB each ({told})",
            f"{1e9 * self.element:.3g} ns an element, {1e9 * self.row:.3g} ns a row, "
            f"{1e9 * self.product:.3g} ns a product of a Hessian, {1e6 * self.chunk:.3g} us a chunk",
            f"{1e3 * self.latency:.3g} ms a round trip, {1e3 * self.task:.3g} ms a task, "
            f"{1e3 * self.hop:.3g} ms a level of joins, {self.bandwidth / 1e6:.3g} MB/s",
        ]
