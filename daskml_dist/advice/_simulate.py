"""A pass as a discrete-event simulation: a scheduler that serves one task after the other, and workers.

It knows the same constants as the cost model (_cost.py) and none of its formulas, so that each checks the
other; and it knows what has no formula: workers that are slow, and workers that die.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.advice._cost import join_seconds, overhead, shards_of, slope, streamed
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._work import Kind, Work
from daskml_dist.cluster.tasks import FAN_IN
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.partition import Plan
from daskml_dist.types import FloatArray

MOST_WORKERS = 10_000
_DETECTED = 30.0  # seconds until a worker that died silently is missed (cluster.Patience.silent_worker)


@final
@dataclass(frozen=True)
class Simulation:
    """What was simulated.

    Attributes
    ----------
    workers : how many.
    passes : (P,) seconds of each pass.
    busy : share of the time in which threads run kernels.
    tasks : of the scheduler, in all, those run again included.
    failures : workers that died.
    """

    workers: int
    passes: FloatArray
    busy: float
    tasks: int
    failures: int

    @property
    def seconds(self) -> float:
        """Of all passes."""
        return float(self.passes.sum())

    @property
    def pass_seconds(self) -> float:
        """The median pass."""
        return float(np.median(self.passes))


def simulate(
    work: Work,
    machine: Machine,
    workers: int | None = None,
    *,
    passes: int = 1,
    kind: Kind | None = None,
    spread: float = 0.0,
    failures: float = 0.0,
    placement: Plan | None = None,
    seed: int = 0,
) -> Simulation:
    """Simulate passes over the data.

    Parameters
    ----------
    work, machine : what, and on what; ``Advice`` has both.
    workers : how many, up to 10,000; None for those of the machine.
    passes : how many.
    kind : "gradient" or "hessian"; None for that of most passes.
    spread : stragglers: the standard deviation of the logarithm of the time that a thread takes, drawn
        anew for
        each pass; 0 for threads of the same speed.
    failures : how often a worker dies, a second of its work. Its kernel is run again once that is noticed
        (30 s) and its data are loaded.
    placement : the shards, where they are known; else chunks are spread evenly.
    seed : of what is drawn.

    Raises
    ------
    UnsupportedParameter
        A number out of its range.
    """
    workers = machine.workers if workers is None else workers
    _refuse(workers, passes, spread, failures)
    machine, kind = machine.at(workers), kind or work.usual
    rng = np.random.default_rng(seed)
    kernels = _kernels(work, machine, kind, placement)
    loads = _loads(work, machine, placement)
    seconds, tasks, died, busy = [], 0, 0, 0.0
    for _ in range(passes):
        speeds = np.exp(spread * rng.standard_normal(len(kernels)) - 0.5 * spread**2)
        lasting = kernels * speeds + (loads if streamed(work, machine) else 0.0)
        busy += float(lasting.sum())
        deaths = rng.poisson(failures * lasting) if failures else np.zeros(len(lasting), dtype=int)
        lost = deaths * (0.5 * lasting + _DETECTED + loads)
        ended, ran = _one_pass(work, machine, kind, lasting + lost)
        seconds.append(ended)
        tasks, died = tasks + ran + int(deaths.sum()), died + int(deaths.sum())
    share = busy / (sum(seconds) * machine.slots) if sum(seconds) else 0.0
    return Simulation(workers, np.array(seconds), share, tasks, died)


def fastest(work: Work, machine: Machine, most: int = MOST_WORKERS) -> int:
    """The number of workers with the shortest simulated pass, to a few per cent.

    More workers than chunks are of no use, and are not tried.
    """
    most = max(1, min(most, math.ceil(len(work.chunks) / machine.threads)))

    def seconds(workers: int) -> float:
        return simulate(work, machine, workers).pass_seconds

    coarse = sorted({min(most, round(2**k)) for k in np.arange(0.0, math.log2(most) + 1.0)})
    best = min(coarse, key=seconds)
    around = np.geomspace(max(1, best // 2), min(most, 2 * best), 25)
    return min(sorted({round(workers) for workers in around} | {best}), key=seconds)


def _kernels(work: Work, machine: Machine, kind: Kind, placement: Plan | None) -> FloatArray:
    """(S,) seconds of the kernel over each shard."""
    a, b = overhead(work, machine, kind), slope(work, machine, kind)
    counts, rows = _sizes(work, machine, placement)
    return counts * a + rows * b


def _loads(work: Work, machine: Machine, placement: Plan | None) -> FloatArray:
    """(S,) seconds to load each shard, the threads of a worker side by side."""
    _, rows = _sizes(work, machine, placement)
    return rows * work.row_bytes / (machine.load / machine.threads)


def _sizes(work: Work, machine: Machine, placement: Plan | None) -> tuple[FloatArray, FloatArray]:
    """(S,) chunks and (S,) rows of each shard."""
    if placement is None:
        shards = shards_of(work, machine)
        cuts = np.arange(shards + 1) * len(work.chunks) // shards
        return np.diff(cuts).astype(float), np.diff(work.first_rows[cuts]).astype(float)
    counts = [float(len(ids)) for ids in placement.shards]
    return np.array(counts), np.array([float(sum(work.chunks[i] for i in ids)) for ids in placement.shards])


def _one_pass(work: Work, machine: Machine, kind: Kind, lasting: FloatArray) -> tuple[float, int]:
    """Seconds and tasks of one pass, given how long each shard takes."""
    parents, inputs = _tree(len(lasting), len(lasting) if machine.in_process else FAN_IN)
    joining = [join_seconds(work, machine, kind, n) for n in inputs]
    down = 0.0 if machine.in_process else work.state_bytes / machine.bandwidth
    shards, last = len(lasting), len(parents) - 1
    ready, missing = np.full(len(parents), machine.latency).tolist(), inputs.copy()
    waiting = [(machine.latency, task) for task in range(shards)]  # a heap, since they are in order
    free = ended = 0.0
    while waiting:
        at, task = heapq.heappop(waiting)
        if task == last:  # its own task and hop are within the latency
            return at + joining[task], len(parents)
        free = max(free, at) + machine.task + (down if task < shards else 0.0)
        ended = free + (float(lasting[task]) if task < shards else machine.hop + joining[task])
        parent = parents[task]
        ready[parent] = max(ready[parent], ended)
        missing[parent] -= 1
        if not missing[parent]:
            heapq.heappush(waiting, (ready[parent], parent))
    raise AssertionError("unreachable: the last task has no parent")


def _tree(shards: int, fan_in: int) -> tuple[list[int], list[int]]:
    """The parent of each task, shards first and the one that finishes last, and how many inputs it has."""
    parents, inputs = [0] * shards, [0] * shards
    level = list(range(shards))
    while len(level) > fan_in:
        groups = [level[i : i + fan_in] for i in range(0, len(level), fan_in)]
        level = list(range(len(parents), len(parents) + len(groups)))
        parents += [0] * len(groups)
        inputs += [len(group) for group in groups]
        for join, group in zip(level, groups, strict=True):
            for task in group:
                parents[task] = join
    for task in level:
        parents[task] = len(parents)
    return [*parents, -1], [*inputs, len(level)]


def _refuse(workers: Any, passes: Any, spread: float, failures: float) -> None:
    for name, value, most in (("workers", workers, MOST_WORKERS), ("passes", passes, None)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < 1 or (most is not None and value > most):
            limit = "" if most is None else f" to {most:,}"
            raise UnsupportedParameter(f"{name}={value!r}: expected a whole number from 1{limit or ' up'}.")
    for name, number, unit in (("spread", spread, ""), ("failures", failures, " a second")):
        if not 0.0 <= number < np.inf:
            raise UnsupportedParameter(f"{name}={number!r}: expected a number from 0 up{unit}.")
