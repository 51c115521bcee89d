"""What the supervisor costs: the same graph with it, and as a plain ``client.compute``."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import dask.array as da
import numpy as np

from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist import Placement, inputs, partition
from daskml_dist.cluster import OnDask
from daskml_dist.kernels import Coding, Point, Question, Sweep
from daskml_dist.losses import Logistic
from daskml_dist.solvers import LARGE

COLUMNS = ("rows", "p", "supervised, ms", "plain, ms", "more, ms", "more, %")


def run(options: Options) -> list[Table]:
    """Gradient passes, one with and one without in turns."""
    sizes = options.pick(((20_000, 50), (1_000_000, 100)), ((20_000, 50), (400_000, 100)), ((2_000, 5),))
    table = Table("Overhead of the supervisor, a pass on 2 workers of 1 thread", COLUMNS)
    repeats = options.pick(101, 51, 3)
    with on_cluster.client() as client:
        for n, p in sizes:
            options.say(f"supervision: {n:,} x {p}")
            table.add(n, p, *_figures(client, n, p, repeats))
    table.notes += [
        f"medians of {repeats} gradient passes each, in turns; more: median difference of neighbours.",
        "plain: the same question, with a plain client.compute(graph).result() in place of the supervisor.",
    ]
    return [table]


def _figures(client: Any, n: int, p: int, repeats: int) -> tuple[Any, ...]:
    random = da.random.default_rng(0)
    X, y = on_cluster.persisted(
        random.standard_normal((n, p), chunks=(n // 16, -1)),
        random.integers(0, 2, n, chunks=n // 16).astype(float),
    )
    hands = OnDask(client, placement=Placement(client, replan=False))
    try:
        holding = hands.hold(inputs.read(X, y, None, None, estimator="benchmark"))
        hands.place(partition.in_place(holding.rows, holding.locations, holding.slots))
        hands.code(Coding(None))
        point = Point(np.full((1, p), 0.01), np.zeros(1), np.zeros(p), True)
        question = Question(Sweep(Logistic(), point, compiled=n * p >= LARGE))
        pairs = [_pair(hands, question) for _ in range(repeats + 2)][2:]
    finally:
        hands.close()
    with_it, without = median(a for a, _ in pairs), median(b for _, b in pairs)
    more = median(a - b for a, b in pairs)
    return 1e3 * with_it, 1e3 * without, 1e3 * more, 100.0 * more / without


class _Plain:
    """Waits as a plain client does, in place of the supervisor."""

    def insist(self, attempt_once: Any, repair: Any, keys: Any) -> Any:
        """One attempt."""
        return attempt_once()

    def first(self, candidates: Any, pulse: float) -> Any:
        """Wait for the one future that there is."""
        future = candidates()[0]
        future.result()
        return future

    def fetch(self, future: Any) -> Any:
        """What it holds."""
        return future.result()


def _pair(hands: Any, question: Any) -> tuple[float, float]:
    """Seconds of a question with the supervisor, and with one that does nothing in its place."""
    supervised, times = hands.supervisor, []
    for supervisor in (supervised, _Plain()):
        hands.supervisor = supervisor
        began = time.perf_counter()
        hands.answer(question)
        times.append(time.perf_counter() - began)
    hands.supervisor = supervised
    return times[0], times[1]
