"""The cost model beside what was measured: seconds of a pass on 1 and 2 workers and 16 to 1,024 chunks."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import dask.array as da
import numpy as np

import daskml_dist
from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist import partition
from daskml_dist.cluster import OnDask
from daskml_dist.kernels import Coding, Point, Question, Sweep
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.losses import Logistic
from daskml_dist.solvers import LARGE
from daskml_dist.types import Table as Data

COLUMNS = (
    "workers",
    "chunks",
    "predicted, ms",
    "measured, ms",
    "predicted / measured",
    "of it kernels, ms",
    "chunks of slowest / mean",
    "calibration, s",
    "fit predicted, s",
    "fit, s",
    "passes predicted",
    "passes",
)


def run(options: Options) -> list[Table]:
    """One row for each number of workers and of chunks."""
    n, p = options.pick(1 << 19, 1 << 19, 1 << 12), options.pick(50, 50, 4)
    table = Table(f"Time of a gradient pass, {n:,} x {p} persisted, workers of 1 thread", COLUMNS)
    for workers in (1, 2):
        with on_cluster.client(workers, memory_limit="3GB") as client:
            for chunks in options.pick((16, 64, 256, 1024), (16, 64, 256, 1024), (4, 16)):
                options.say(f"cost_model: {workers} workers, {chunks} chunks")
                rng = da.random.default_rng(3)
                X = rng.standard_normal((n, p), chunks=(n // chunks, p))
                held = on_cluster.persisted(X, rng.integers(0, 2, n, chunks=n // chunks))
                table.add(workers, chunks, *_figures(options, client, *held))
                del held
    table.notes += [
        "predicted: daskml_dist.plan(X, y, LogisticRegression(), client).pass_seconds, which calibrates on "
        "generated rows and never reads X; measured: the median of passes through cluster.OnDask right "
        "after.",
        f"{options.pick(3, 2, 1)} times in turns, medians. Chunks lie where Dask put them, which the plan "
        "sees: with few of them one worker may have many more than the other.",
    ]
    return [table]


def _figures(options: Options, client: Any, X: Any, y: Any) -> tuple[Any, ...]:
    """Predictions and measurements in turns."""
    told, found, spent = [], [], []
    for _ in range(options.pick(3, 2, 1)):
        began = time.perf_counter()
        advice = daskml_dist.plan(X, y, LogisticRegression(), client)
        spent.append(time.perf_counter() - began)
        told.append(advice)
        found.append(_measured(client, X, y, options.pick(9, 7, 3)))
    advice = sorted(told, key=lambda one: one.pass_seconds)[len(told) // 2]
    predicted, measured = advice.pass_seconds, median(found)
    fitted, took = _fit(X, y)
    return (
        1e3 * predicted,
        1e3 * measured,
        predicted / measured,
        1e3 * advice.a_pass.kernel,
        advice.a_pass.imbalance,
        median(spent),
        advice.seconds,
        took,
        advice.passes,
        fitted.n_passes_,
    )


def _fit(X: Any, y: Any) -> tuple[LogisticRegression, float]:
    """A whole fit, and its seconds; the first one is not timed."""
    LogisticRegression().fit(X, y)
    began = time.perf_counter()
    return LogisticRegression().fit(X, y), time.perf_counter() - began


def _measured(client: Any, X: Any, y: Any, repeats: int) -> float:
    """The median time of a gradient pass as a fit makes it."""
    hands = OnDask(client)
    try:
        p = X.shape[1]
        holding = hands.hold(Data(X, y, None, None, X.chunks[0], p, None, True))
        hands.place(partition.in_place(holding.rows, holding.locations, holding.slots))
        hands.code(Coding(None))
        at = Point(np.full((1, p), 0.01), np.zeros(1), np.zeros(p), True)
        question = Question(Sweep(Logistic(), at, compiled=X.size >= LARGE))
        hands.answer(question)
        return median(_timed(hands, question) for _ in range(repeats))
    finally:
        hands.close()


def _timed(hands: OnDask, question: Any) -> float:
    began = time.perf_counter()
    hands.answer(question)
    return time.perf_counter() - began
