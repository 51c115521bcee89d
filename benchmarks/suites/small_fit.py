"""What a fit of 200 x 4 rows in memory costs more than scikit-learn's."""

from __future__ import annotations

import time
import warnings
from statistics import median, quantiles
from typing import Any

import numpy as np
from sklearn import linear_model as theirs

from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist import linear_model as ours

COLUMNS = ("estimator", "ours, ms", "scikit-learn, ms", "more, ms", "ours, 90th percentile, ms")


def run(options: Options) -> list[Table]:
    """Both in one process, in turns."""
    repeats = options.pick(50, 50, 5)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    z = X @ [1.0, -1.0, 0.5, 0.0]
    binary, counts, real = (
        (z + rng.logistic(size=200) > 0),
        rng.poisson(np.exp(0.5 * z)),
        z + rng.normal(size=200),
    )
    pairs: list[tuple[Any, Any, Any]] = [
        (ours.LogisticRegression(verbose=0), theirs.LogisticRegression(), binary),
        (ours.PoissonRegressor(verbose=0), theirs.PoissonRegressor(), counts),
        (ours.Ridge(verbose=0), theirs.Ridge(), real),
        (ours.LinearRegression(verbose=0), theirs.LinearRegression(), real),
    ]
    table = Table("A fit of 200 x 4 in memory", COLUMNS)
    for our, their, y in pairs:
        options.say(f"small_fit: {type(our).__name__}")
        mine, his = _in_turns(our, their, X, y, repeats)
        table.add(
            type(our).__name__,
            median(mine),
            median(his),
            median(mine) - median(his),
            quantiles(mine, n=10)[-1],
        )
    table.notes.append(f"medians of {repeats} fits after a first one, in turns, in one process.")
    return [table]


def _in_turns(our: Any, their: Any, X: Any, y: Any, repeats: int) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats + 1):
            for model, into in zip((our, their), times, strict=True):
                began = time.perf_counter()
                model.fit(X, y)
                into.append(1e3 * (time.perf_counter() - began))
    return times[0][1:], times[1][1:]
