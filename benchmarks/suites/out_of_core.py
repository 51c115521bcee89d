"""Data of three times the cluster's memory limit: what memory the workers need, and how many passes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from benchmarks.workers.measure import peak_mb, reset_peak
from daskml_dist.linear_model import LogisticRegression, Ridge

P = 50
CHUNK_ROWS = 20_000

COLUMNS = (
    "estimator",
    "data",
    "data MB",
    "limit a worker, MB",
    "idle worker, MB",
    "peak a worker, MB",
    "passes",
    "kind of gap",
    "claimed gap",
    "true gap",
    "seconds",
)


def run(options: Options) -> list[Table]:
    """Chunks are read from a file by the worker that asks for them."""
    limit, times = options.pick((500, 3.0), (400, 3.0), (400, 0.6))
    n = round(times * 2 * limit * 1e6 / (8 * P) / CHUNK_ROWS) * CHUNK_ROWS
    table = Table(f"{times:g} times the memory limit of 2 workers of 1 thread, streamed", COLUMNS)
    for kind, models in (
        ("iid", (LogisticRegression(verbose=0), Ridge(verbose=0))),
        ("correlated, scales 1e±3", (LogisticRegression(verbose=0),)),
    ):
        folder = options.folder / "out_of_core"
        options.say(f"out_of_core: writing {n:,} x {P}, {kind}")
        Design(kind, P, seed=4).write(n, folder)
        truth = _truth(folder)
        with on_cluster.client(memory_limit=f"{limit}MB") as client:
            for model in models:
                options.say(f"out_of_core: {type(model).__name__}, {kind}")
                figures = _fitted(model, client, folder)
                gap = (
                    truth.gap(model.coef_, model.intercept_)
                    if isinstance(model, LogisticRegression)
                    else None
                )
                megabytes = round(8e-6 * n * P)
                table.add(type(model).__name__, kind, megabytes, limit, *figures[:-1], gap, figures[-1])
        for name in ("X.npy", "y.npy"):
            (folder / name).unlink()
    table.notes += [
        f"{n // CHUNK_ROWS} chunks of {CHUNK_ROWS:,} x {P} float64, read from one file in each pass; the "
        "seconds include that.",
        "peak: the highest resident memory of any worker during the fit; idle: the same before it. A worker "
        "that dies would fail the run.",
    ]
    return [table]


def _truth(folder: Path) -> Truth:
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
    return solve(Objective("logistic", X, y, 1.0 / len(y)))


def _fitted(model: Any, client: Any, folder: Path) -> tuple[Any, ...]:
    """Idle and peak memory, passes, gap, seconds."""
    X, y = (on_cluster.lazy(str(folder), name, CHUNK_ROWS) for name in ("X", "y"))
    pids = on_cluster.worker_pids(client)
    for pid in pids:
        reset_peak(pid)
    idle = max(map(peak_mb, pids))
    began = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - began
    if on_cluster.worker_pids(client) != pids:
        raise RuntimeError("a worker died during the fit")
    return idle, max(map(peak_mb, pids)), model.n_passes_, model.gap_kind_, model.gap_, seconds
