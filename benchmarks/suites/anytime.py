"""How soon a model can be used while its fit goes on."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import dask.array as da

import daskml_dist
from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers import on_cluster
from daskml_dist.linear_model import LogisticRegression

COLUMNS = ("solver", "rows", "p", "first model, s", "its gap", "passes", "the whole fit, s", "gap")
_ROWS = 1000  # that the first model predicts, within its time


def run(options: Options) -> list[Table]:
    """Fits on two workers, of which the first model that predicts is taken."""
    n, p = options.pick((1_000_000, 100), (400_000, 50), (4_000, 5))
    table = Table("A model while the fit goes on, 2 workers of 1 thread", COLUMNS)
    with on_cluster.client():
        random = da.random.default_rng(0)
        X = random.standard_normal((n, p), chunks=(n // 16, -1))
        y = X[:, 0] + X[:, 1] + random.logistic(size=n, chunks=n // 16) > 0
        X, y = on_cluster.persisted(X, y)
        few = X[:_ROWS].compute()
        for solver in ("auto", "lbfgs", "gradient_descent"):
            options.say(f"anytime: {solver}")
            runs = [_once(solver, X, y, few) for _ in range(options.pick(6, 4, 2))]
            table.add(solver, n, p, *(median(column) for column in zip(*runs[1:], strict=True)))
    table.notes.append(
        "first model: seconds from daskml_dist.train(model, X, y) until run.model has predicted 1,000 rows. "
        "Medians over fits after a first one; gaps are relative, as tol, which is 1e-8."
    )
    return [table]


def _once(solver: str, X: Any, y: Any, few: Any) -> tuple[float, float, int, float, float]:
    """Seconds until there is a model, its gap, passes and seconds of the fit, and the gap in the end."""
    began = time.perf_counter()
    run = daskml_dist.train(LogisticRegression(solver=solver, tol=1e-8, max_iter=500, verbose=0), X, y)
    while run.model is None:
        if run.done():
            run.result()  # raises why there is none
        time.sleep(0.001)
    first = run.model
    first.predict(few)
    seconds = time.perf_counter() - began
    model = run.result()
    return seconds, first.gap_, model.n_passes_, time.perf_counter() - began, model.gap_
