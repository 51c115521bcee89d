"""One worker four times slower: how even passes are, and how long, before and after one re-plan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import dask.array as da
import numpy as np

from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist import Placement, inputs
from daskml_dist.cluster import OnDask
from daskml_dist.kernels import Coding, Point, Question, Sweep
from daskml_dist.losses import Logistic
from daskml_dist.solvers import LARGE

COLUMNS = (
    "workers",
    "rows",
    "p",
    "imbalance before",
    "after",
    "pass before, ms",
    "after, ms",
    "re-plan before pass",
    "chunks moved",
    "re-plan, ms",
    "gain a pass, ms: expected",
    "measured",
)
CHUNKS = 32  # a worker
DUTY = """
import os, signal, sys, time
while True:
    for what, seconds in ((signal.SIGSTOP, 0.045), (signal.SIGCONT, 0.015)):
        os.kill(int(sys.argv[1]), what)
        time.sleep(seconds)
"""


def run(options: Options) -> list[Table]:
    """Gradient passes over resident data until work has moved, and as many after that."""
    sizes = options.pick(((2, 1_000_000), (4, 1_000_000)), ((2, 400_000),), ((2, 4_000),))
    table = Table("One worker 4 times slower: before and after one re-plan", COLUMNS)
    passes = options.pick(40, 40, 4)
    p = options.pick(100, 100, 5)
    for workers, n in sizes:
        options.say(f"balance: {workers} workers, {n:,} x {p}")
        with on_cluster.client(workers) as client:
            table.add(workers, n, p, *_figures(client, n, p, workers, passes))
    table.notes += [
        f"{CHUNKS} chunks a worker of 1 thread; the slow one runs for 15 ms and stops for 45 ms, in turns.",
        "imbalance: the longest busy time of a worker over the mean. Medians over passes before and after.",
        "re-plan: the time in which chunks moved, for which the pass waits.",
        "4 workers share 2 cores here: their speeds change with the plan, and with them what was expected.",
    ]
    return [table]


@dataclass
class _Seen:
    imbalance: list[float]
    seconds: list[float]


def _figures(client: Any, n: int, p: int, workers: int, passes: int) -> tuple[Any, ...]:
    random, rows = da.random.default_rng(0), n // (CHUNKS * workers)
    X, y = on_cluster.persisted(
        random.standard_normal((n, p), chunks=(rows, -1)),
        random.integers(0, 2, n, chunks=rows).astype(float),
    )
    hands = OnDask(client, placement=Placement(client, backup=False))
    try:
        hands.place(hands.planned(hands.hold(inputs.read(X, y, None, None, estimator="benchmark"))))
        hands.code(Coding(None))
        point = Point(np.full((1, p), 0.01), np.zeros(1), np.zeros(p), True)
        question: Any = Question(Sweep(Logistic(), point, compiled=n * p >= LARGE))
        hands.placement = replace(hands.placement, replan=False)
        for _ in range(3):
            hands.answer(question)  # compiled and warm
        hands.place(hands.plan)
        hands.planner = type(hands.planner)(hands.placement, {})
        with _slowed(client):
            return _watched(hands, question, passes)
    finally:
        hands.close()


def _watched(hands: OnDask, question: Any, passes: int) -> tuple[Any, ...]:
    """Passes with leave to move until it is used; then as many without, at most."""
    before, after = _Seen([], []), _Seen([], [])
    hands.placement = replace(hands.placement, replan=True)
    moving = 0.0
    while not hands.planner.decisions and len(before.seconds) < passes:
        began = time.perf_counter()
        hands.answer(question)
        moving = time.perf_counter() - began
        if not hands.planner.decisions:
            _note(before, hands, moving)
    hands.placement = replace(hands.placement, replan=False)
    decisions = hands.planner.decisions
    for _ in range(min(passes, 10) if decisions else 0):
        began = time.perf_counter()
        hands.answer(question)
        _note(after, hands, time.perf_counter() - began)
    return (
        *(_median(seen.imbalance) for seen in (before, after)),
        *(_median(seen.seconds, 1e3) for seen in (before, after)),
        len(before.seconds) + 1 if decisions else None,
        sum(len(d.chunks) for d in decisions),
        1e3 * (moving - median(after.seconds)) if decisions else None,
        1e3 * sum(d.expected_gain for d in decisions) if decisions else None,
        1e3 * sum(d.measured_gain or 0.0 for d in decisions) if decisions else None,
    )


def _note(seen: _Seen, hands: OnDask, seconds: float) -> None:
    seen.imbalance.append(hands.planner.pace.imbalance)
    seen.seconds.append(seconds)


def _median(values: list[float], scale: float = 1.0) -> float | None:
    return scale * median(values) if values else None


@contextmanager
def _slowed(client: Any) -> Iterator[None]:
    """One worker is stopped for three quarters of the time while the block lasts."""
    pid = min(client.run(os.getpid).values())
    duty = subprocess.Popen([sys.executable, "-c", DUTY, str(pid)])
    try:
        yield
    finally:
        duty.kill()
        duty.wait()
        os.kill(pid, signal.SIGCONT)  # the last signal may have been a stop
