"""Time of a gradient pass over the time of reading the same bytes, on the same threads."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist import partition
from daskml_dist.cluster import InProcess
from daskml_dist.kernels import Coding, Point, Question, Sweep
from daskml_dist.losses import Logistic
from daskml_dist.solvers import LARGE
from daskml_dist.types import Table as Data

COLUMNS = ("p", "threads", "pass, ms", "read, ms", "read, GB/s", "pass / read", "fastest pass / fastest read")


def run(options: Options) -> list[Table]:
    """One row for each number of features and of threads."""
    size = options.pick(512, 256, 8) << 20
    repeats = options.pick(21, 9, 2)
    cores = len(os.sched_getaffinity(0))
    table = Table(f"Gradient pass against reading the same {size >> 20} MiB", COLUMNS)
    for p in options.pick((8, 16, 32, 64, 128, 256), (8, 16, 32, 64, 128, 256), (8, 64)):
        X, y = _data(size, p)
        for threads in sorted({1, cores}):
            options.say(f"roofline: p = {p}, {threads} threads")
            table.add(p, threads, *_figures(X, y, threads, repeats))
    table.notes += [
        "pass: one Sweep (value and gradient of the logistic loss) through cluster.InProcess, as in a fit.",
        "read: np.dot(x, x) over the flat array in pieces of 1 MiB on as many threads, BLAS held to one "
        "thread each; the fastest way that NumPy has to read memory.",
        f"{repeats} times in turns; pass / read: of the medians; the fastest tell more on a busy machine.",
    ]
    return [table]


def _data(size: int, p: int) -> tuple[Any, Any]:
    n = size // (8 * p)
    rng = np.random.default_rng(p)
    X = rng.standard_normal((n, p))
    return X, (rng.random(n) < 0.5).astype(np.float64)


def _figures(X: Any, y: Any, threads: int, repeats: int) -> tuple[Any, ...]:
    hands = InProcess(threads)
    try:
        holding = hands.hold(Data(X, y, None, None, (len(y),), X.shape[1], None, False))
        hands.place(partition.sequential(holding.rows, holding.slots))
        hands.code(Coding(None))
        w = np.full((1, X.shape[1]), 0.01)
        at = Point(w, np.zeros(1), np.zeros(X.shape[1]), True)
        question = Question(Sweep(Logistic(), at, compiled=X.size >= LARGE))
        with ThreadPoolExecutor(threads) as pool:
            passes, reads = [], []
            for _ in range(repeats + 1):
                passes.append(_timed(lambda: hands.answer(question)))
                reads.append(_timed(lambda: _read(X, pool, threads)))
    finally:
        hands.close()
    passes, reads = passes[1:], reads[1:]
    a_pass, a_read = median(passes), median(reads)
    return 1e3 * a_pass, 1e3 * a_read, X.nbytes / a_read / 1e9, a_pass / a_read, min(passes) / min(reads)


def _read(X: Any, pool: ThreadPoolExecutor, threads: int) -> float:
    flat = X.reshape(-1)
    bounds = np.linspace(0, len(flat), threads + 1).astype(int)

    def part(start: int, stop: int) -> float:
        piece, total = 1 << 17, 0.0
        for i in range(start, stop, piece):
            x = flat[i : min(i + piece, stop)]
            total += float(np.dot(x, x))
        return total

    with threadpool_limits(1, user_api="blas"):
        return sum(pool.map(part, bounds[:-1].tolist(), bounds[1:].tolist()))


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
