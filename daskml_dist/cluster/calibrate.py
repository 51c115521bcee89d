"""What a pass costs here: kernels timed on the threads that will run them, and passes without work.

Data are generated where they are timed, in the shape of the problem; those of the user are never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any, final

import dask.array as da
import numpy as np
from distributed import Future, futures_of
from scipy.sparse import csr_array

from daskml_dist.cluster._base import Hands
from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.in_process import InProcess, cut
from daskml_dist.cluster.memory import process_limit
from daskml_dist.cluster.on_dask import OnDask
from daskml_dist.cluster.recipes import block_keys
from daskml_dist.cluster.shards import ResidentShard
from daskml_dist.kernels import Coding, Kernel, Part, Question, Total, partial_answer
from daskml_dist.partition import Plan, in_place
from daskml_dist.types import AnyArray, Chunk, Table

_SENT = 8 << 20  # bytes that are sent once between two workers
_LINKS = 6  # of a chain of tasks
_WIDE = 16  # shards beyond one a thread, so that what each costs can be seen
_NAP = 0.02  # seconds, longer than the interval at which a client sends
_PATTERN = 512  # rows that are drawn; others repeat them


@final
@dataclass(frozen=True)
class Trial:
    """A kernel, and the generated chunks on which it is timed.

    Attributes
    ----------
    kernel : what is asked.
    rows : of each chunk.
    chunks : how many a thread has.
    features : p.
    dtype : of X.
    entries : stored entries of a row where X is sparse; None where it is dense.
    """

    kernel: Kernel[Any]
    rows: int
    chunks: int
    features: int
    dtype: str = "float64"
    entries: int | None = None


@final
@dataclass(frozen=True)
class Measured:
    """Seconds, bytes and counts of the machine that was measured.

    Attributes
    ----------
    seconds_a_chunk : of each trial by name: the median over repetitions, of the slowest thread.
    shards, idle_pass : shards of a pass in which threads wait, one each, and its median time less the wait.
    task : seconds for each task of client and scheduler, who are busy with one after the other.
    hop : seconds from a task's end to that of the task that waits for it, on another worker if there are two.
    bandwidth : bytes a second from worker to worker, or to the client where there is one worker.
    """

    seconds_a_chunk: Mapping[str, float]
    shards: int
    idle_pass: float
    task: float
    hop: float
    bandwidth: float


@final
@dataclass(frozen=True)
class Room:
    """Workers, the threads of one (on average), and the bytes of memory of the one with the least."""

    workers: int
    threads: int
    memory: float


def room(hands: Hands) -> Room:
    """What there is."""
    if not isinstance(hands, OnDask):
        assert isinstance(hands, InProcess)
        return Room(1, hands.threads, float(process_limit()))
    infos = hands.supervisor.wait_for_workers().values()
    limits = [float(info["memory_limit"]) for info in infos if info["memory_limit"]]
    threads = max(round(sum(info["nthreads"] for info in infos) / len(infos)), 1)
    return Room(len(infos), threads, min(limits, default=float("inf")))


def calibrate(hands: Hands, trials: Mapping[str, Trial], *, seconds: float = 0.25) -> Measured:
    """Time kernels on all threads at once, passes without work, chained tasks, and a transfer.

    Parameters
    ----------
    hands : threads or a cluster; whatever they held is let go of.
    trials : what to time, by name.
    seconds : how long the trials may take in all; each is run three times at least.
    """
    assert isinstance(hands, InProcess | OnDask)
    there = room(hands)
    shares = {name: seconds / len(trials) for name in trials}
    if isinstance(hands, InProcess):
        timed, hop, bandwidth = _timed_here(hands, trials, shares), 0.0, float("inf")
    else:
        timed, hop, bandwidth = _timed_there(hands, trials, shares), _hop(hands), _bandwidth(hands)
    slots = there.workers * there.threads
    idle, _ = _idle_pass(hands, slots, 5, 0.0 if isinstance(hands, InProcess) else _NAP)
    _, task = _idle_pass(hands, slots + _WIDE, 2, 0.0)
    slowest = {name: max(one[name] for one in timed) for name in trials}
    return Measured(slowest, slots, idle, task, hop, bandwidth)


def placement(hands: Hands, table: Table) -> Plan | None:
    """The shards that a fit would make of a table that is persisted on a cluster; None where it is not."""
    if not isinstance(hands, OnDask) or not table.lazy or table.chunks is None:
        return None
    held = {future.key: future for future in futures_of(table.X)}
    keys = [columns["X"] for columns in block_keys(table)]
    if any(key not in held for key in keys):
        return None
    who_has: Any = hands.client.who_has([held[key] for key in keys])
    places = tuple((who_has.get(key) or (None,))[0] for key in keys)
    if None in places:  # not computed yet
        return None
    slots = [(address, info["nthreads"]) for address, info in hands.supervisor.wait_for_workers().items()]
    return in_place(table.chunks, places, tuple(address for address, n in slots for _ in range(n)))


def is_held(table: Table) -> bool:
    """Whether the data are in the memory of this process or of workers already."""
    return not table.lazy or bool(futures_of(list(table.columns.values())))


def cut_rows(hands: Hands, table: Table) -> tuple[int, ...] | None:
    """The rows of each chunk as a fit has them; None where they are unknown until computed."""
    if table.lazy or not isinstance(hands, InProcess):
        return table.chunks
    return tuple(0 if chunk.X is None else chunk.X.shape[0] for chunk in cut(table))


@final
@dataclass(frozen=True)
class Nap(Kernel[int]):
    """Waits, and tells how many rows there are."""

    seconds: float

    def chunk(self, chunk: Chunk) -> Part:
        time.sleep(self.seconds)
        return Part()

    def finish(self, total: Total) -> int:
        return total.rows


# -- kernels --------------------------------------------------------------------------------------


def time_trials(trials: Mapping[str, Trial], shares: Mapping[str, float]) -> dict[str, float]:
    """Median seconds a chunk of each trial, in this thread."""
    return {name: _time_trial(trial, shares[name]) for name, trial in trials.items()}


def _time_trial(trial: Trial, share: float) -> float:
    shard, coding = _shard(trial), Coding(None)
    spent: list[float] = []
    with single_threaded_blas():  # not timed: passes without work do it too
        _sweep(trial, shard, coding)  # imports, compiles, maps memory
        began = time.perf_counter()
        while len(spent) < 3 or time.perf_counter() - began < share:
            spent.append(_seconds(lambda: _sweep(trial, shard, coding)) / trial.chunks)
    return median(spent)


def _sweep(trial: Trial, shard: ResidentShard, coding: Coding) -> None:
    """What a task of a pass does."""
    partial_answer(trial.kernel, shard.chunks(coding, "trial", trial.kernel))


def _shard(trial: Trial) -> ResidentShard:
    """Chunks with memory of their own; their rows repeat a few drawn ones, since drawing takes long."""
    rng = np.random.default_rng(0)
    rows = min(trial.rows, _PATTERN)
    x = rng.standard_normal((rows, trial.features)).astype(trial.dtype)
    y = 0.5 + 0.5 * (rng.random(rows) < 0.5)  # in the domain of every loss
    times = -(-trial.rows // rows)

    def chunk(number: int) -> Chunk:
        X: Any = np.tile(x, (times, 1))[: trial.rows] if trial.entries is None else _sparse(trial, rng)
        return Chunk(number, X, np.tile(y, times)[: trial.rows])

    return ResidentShard(tuple(chunk(i) for i in range(trial.chunks)))


def _sparse(trial: Trial, rng: np.random.Generator) -> Any:
    """A block with the same number of entries in each row, at columns drawn anew."""
    assert trial.entries is not None
    columns = np.sort(rng.integers(0, trial.features, (trial.rows, trial.entries)), axis=1)
    values = rng.standard_normal(columns.size).astype(trial.dtype)
    starts = np.arange(0, columns.size + 1, max(trial.entries, 1))[: trial.rows + 1]
    block = csr_array((values, columns.ravel(), starts), (trial.rows, trial.features))
    block.sum_duplicates()
    return block


def _timed_here(
    hands: InProcess, trials: Mapping[str, Trial], shares: Mapping[str, float]
) -> list[dict[str, float]]:
    with single_threaded_blas(), ThreadPoolExecutor(hands.threads) as pool:
        return list(pool.map(lambda _: time_trials(trials, shares), range(hands.threads)))


def _timed_there(
    hands: OnDask, trials: Mapping[str, Trial], shares: Mapping[str, float]
) -> list[dict[str, float]]:
    """On every thread of the cluster at the same time: they share memory, caches and cores."""

    def once() -> list[dict[str, float]]:
        slots = hands.supervisor.wait_for_workers()
        submitted = [
            _task(hands, time_trials, trials, shares, owner=address)
            for address, info in slots.items()
            for _ in range(info["nthreads"])
        ]
        hands.supervisor.settle(submitted)
        return [hands.supervisor.fetch(future) for future in submitted]

    return hands.supervisor.insist(once, _nothing, list)


# -- tasks ----------------------------------------------------------------------------------------


def _next_to_nothing(chunks: int) -> Table:
    """A table of two rows a chunk and one feature."""
    X = da.zeros((2 * chunks, 1), chunks=(2, 1))
    y = da.zeros(2 * chunks, chunks=2)
    return Table(X, y, None, None, (2,) * chunks, 1, None, True)


def _idle_pass(hands: Hands, shards: int, repeats: int, nap: float) -> tuple[float, float]:
    """The median time of a pass less that of a nap in each shard, and seconds of work for each task.

    With the nap a pass lasts longer than the interval at which a client sends, as those over real data do.
    """
    holding = hands.hold(_next_to_nothing(shards))
    owners = tuple(holding.slots[i % len(holding.slots)] for i in range(shards))
    hands.place(Plan(tuple((i,) for i in range(shards)), owners))
    hands.code(Coding(None))
    question: Question[Any] = Question(Nap(nap))
    hands.answer(question)
    before = _worked(hands)
    passes = [_seconds(lambda: hands.answer(question)) for _ in range(repeats)]
    return max(median(passes) - nap, 0.0), (_worked(hands) - before) / (repeats * hands.cost.tasks)


def _worked(hands: Hands) -> float:
    """Seconds that this thread and that of the scheduler have worked, waiting not counted.

    What workers do for a task they do side by side, and on a cluster of two it would seem to cost them all.
    """
    here = time.thread_time()
    return here + (
        float(hands.client.run_on_scheduler(time.thread_time)) if isinstance(hands, OnDask) else 0.0
    )


def _hop(hands: OnDask) -> float:
    """Seconds for each link of a chain of tasks that goes to and fro between two workers."""
    addresses = sorted(hands.supervisor.wait_for_workers())[:2]

    def chain(links: int) -> float:
        def once() -> None:
            future: Any = 0
            for link in range(links):
                future = _task(hands, _next, future, owner=addresses[link % len(addresses)])
            hands.supervisor.result(future)

        return _seconds(lambda: hands.supervisor.insist(once, _nothing, list))

    chain(1)
    long, short = (min(chain(links) for _ in range(2)) for links in (_LINKS, 1))
    return max(long - short, 0.0) / (_LINKS - 1)


def _bandwidth(hands: OnDask) -> float:
    """Bytes a second, from the difference between moving many of them and few."""
    addresses = sorted(hands.supervisor.wait_for_workers())

    def move(size: int) -> float:
        def once() -> float:
            source = _task(hands, _bytes, size, owner=addresses[0])
            hands.supervisor.settle([source])
            if len(addresses) == 1:
                return _seconds(lambda: hands.supervisor.fetch(source))
            counted = _task(hands, len, source, owner=addresses[1])
            return _seconds(lambda: hands.supervisor.result(counted))

        return hands.supervisor.insist(once, _nothing, list)

    few, many = (min(move(size) for _ in range(2)) for size in (1, _SENT))
    return _SENT / max(many - few, 0.1 * many)


def _task(hands: OnDask, function: Callable[..., Any], *arguments: Any, owner: str) -> Future[Any]:
    future: Future[Any] = hands.client.submit(
        function, *arguments, workers=[owner], allow_other_workers=True, pure=False
    )
    return future


def _next(number: int) -> int:
    return number + 1


def _bytes(size: int) -> AnyArray:
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _nothing(error: BaseException) -> None:
    """There is nothing to repair."""
