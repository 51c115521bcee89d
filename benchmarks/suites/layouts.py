"""Data, model and hybrid parallel training: passes, tasks and agreement, by how X is chunked."""

from __future__ import annotations

import time
import warnings
from typing import Any

import dask.array as da
import numpy as np

from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor

KINDS = ("iid", "correlated, scales 1e±3", "one-hot, Zipf", "Poisson")
COLUMNS = (
    "data",
    "partitions",
    "blocks",
    "passes",
    "tasks a pass",
    "seconds",
    "gap",
    "to rounding",
    "difference",
)


def run(options: Options) -> list[Table]:
    """One row for each kind of data and layout."""
    n, p = options.pick((100_000, 48), (20_000, 24), (2_000, 6))
    table = Table(f'solver="model-parallel", {n:,} x {p} in threads, by the chunks of X', COLUMNS)
    layouts = {"rows": (8, 1), "columns": (1, 4), "grid": (4, 2), "many columns": (2, p // 3)}
    for kind in options.pick(KINDS, KINDS, KINDS[:1]):
        design = Design(kind, p, seed=p)
        X, y = design.whole(n)
        truth = solve(Objective(design.family, X, y, 1.0 / n))
        best = _model(design.family, n, solver="auto", tol=1e-14).fit(X, y)
        for name, (rows, columns) in layouts.items():
            options.say(f"layouts: {kind}, {name}")
            blocks = da.from_array(X, chunks=(-(-n // rows), -(-X.shape[1] // columns)))
            table.add(
                kind, name, "x".join(map(str, blocks.numblocks)), *_row(design.family, blocks, y, truth, best)
            )
    table.notes += [
        "passes, tasks a pass, seconds, gap: of a fit with tol 1e-6, gap the true one. to rounding: passes "
        "of a fit with tol 1e-14; difference: of its coefficients from those of the default solver at tol "
        "1e-14, the largest, relative to the largest coefficient, both in units of the features' spread.",
    ]
    return [table]


def _model(family: str, n: int, **settings: Any) -> Any:
    settings |= {"verbose": 0, "max_iter": 3000}
    return (
        LogisticRegression(C=1.0, **settings)
        if family == "logistic"
        else PoissonRegressor(alpha=1 / n, **settings)
    )


def _row(family: str, X: Any, y: Any, truth: Truth, best: Any) -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        model = _model(family, len(y), solver="model-parallel").fit(X, y)
        seconds = time.perf_counter() - began
        exact = _model(family, len(y), solver="model-parallel", tol=1e-14).fit(X, y)
    spread = np.asarray(X.std(axis=0))
    away = np.abs(exact.coef_ - best.coef_).ravel() * spread
    difference = away.max() / np.abs(best.coef_.ravel() * spread).max()
    tasks = round(sum(row["tasks"] for row in model.history_) / model.n_passes_)
    gap = truth.gap(model.coef_, model.intercept_)
    return model.n_passes_, tasks, seconds, gap, exact.n_passes_, difference
