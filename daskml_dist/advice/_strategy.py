"""Data, model or hybrid parallel, streamed, or one machine: which, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

from daskml_dist.advice._cost import fit_cost, pass_cost, streamed
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._words import size_of, time_of
from daskml_dist.advice._work import Work
from daskml_dist.cluster.memory import RESIDENT_SHARE

Name = Literal["one machine", "data parallel", "streamed", "model parallel", "hybrid"]


@final
@dataclass(frozen=True)
class Strategy:
    """What to do, and why; ``rows`` x ``columns`` is the grid of workers."""

    name: Name
    rows: int
    columns: int
    why: str

    def __repr__(self) -> str:
        return f"{self.name}: {self.why}"


def strategy(work: Work, machine: Machine) -> Strategy:
    """The cheapest that fits into memory."""
    if work.solver_bytes > RESIDENT_SHARE * machine.memory:
        return _parted(work, machine)
    alone = _one_machine(work, machine)
    if alone is not None:
        return alone
    a_pass = pass_cost(work, machine)
    room = RESIDENT_SHARE * machine.memory * machine.workers
    if streamed(work, machine):
        needed = math.ceil(work.size / (RESIDENT_SHARE * machine.memory))
        return Strategy(
            "streamed",
            machine.workers,
            1,
            f"{size_of(work.size)} of data, and {size_of(room)} may be resident (half of the memory), so "
            f"that each pass loads them anew, {a_pass.load:.3g} s of {a_pass.seconds:.3g} s at "
            f"{machine.load / 1e6:.3g} MB/s a worker. With {needed:,} workers they would stay in memory.",
        )
    return Strategy(
        "data parallel",
        machine.workers,
        1,
        f"each worker keeps {size_of(work.size / machine.workers)} of rows and the whole model "
        f"({size_of(8.0 * work.parameters)}); {size_of(a_pass.bytes)} cross the network in a pass.",
    )


def _one_machine(work: Work, machine: Machine) -> Strategy | None:
    """One process, where a fit in its threads is as fast and the data fit into its memory."""
    if work.size > RESIDENT_SHARE * machine.memory and not work.held:
        return None
    single = machine.alone()
    if work.size > machine.memory:
        return None
    here, there = fit_cost(work, single), fit_cost(work, machine)
    if machine.in_process:
        why = f"the data fit into this process, and a pass takes {time_of(pass_cost(work, single).seconds)}."
        return Strategy("one machine", 1, 1, why)
    if here.seconds > there.seconds:
        return None
    return Strategy(
        "one machine",
        1,
        1,
        f"a fit in {machine.threads} threads of one process takes {time_of(here.seconds)}, and "
        f"{time_of(there.seconds)} on {machine.workers:,} workers, where latency is "
        f"{time_of(machine.latency)} a "
        "question. Use scheduler='threads', once the data are in this process.",
    )


def _parted(work: Work, machine: Machine) -> Strategy:
    """The model in parts: R x C workers with R = sqrt(W n / p), which sends least (algorithms of grids)."""
    needed = f"what the solver keeps, {size_of(work.solver_bytes)}, is more than half of a worker's memory"
    if not work.parts:
        return Strategy(
            "data parallel",
            machine.workers,
            1,
            f"{needed}, and this loss or penalty cannot be parted by features: give the workers more memory, "
            "or use an L2 penalty and a smooth loss.",
        )
    best = math.sqrt(machine.workers * work.rows / max(work.features, 1))
    held = math.ceil(160.0 * work.parameters / (RESIDENT_SHARE * machine.memory))  # 20 vectors
    columns = min(max(round(machine.workers / max(best, 1.0)), held, 1), machine.workers)
    rows = max(machine.workers // columns, 1)
    name: Name = "model parallel" if rows == 1 else "hybrid"
    if columns == 1:
        name = "data parallel"
    return Strategy(
        name,
        rows,
        columns,
        f"{needed}. Use solver='model-parallel' with X in {rows:,} x {columns:,} chunks of rows and columns; "
        f"about {size_of(16.0 * work.rows / rows + 16.0 * work.features / columns)} a worker cross "
        "the network in a pass.",
    )
