"""Passes to a relative gap of 1e-6 at n/p = 1000, on data of every kind of conditioning."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import mock

import dask.array as da
import numpy as np
from scipy.special import xlogy

from benchmarks.counting import evaluations
from benchmarks.data import KINDS, Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor

TOL = 1e-6
MOST_EVALUATIONS = 1000

COLUMNS = (
    "data",
    "p",
    "ours",
    "gap",
    "kind of gap",
    "claimed",
    "streamed",
    "gap streamed",
    "lbfgs",
    "newton-cholesky",
)


def run(options: Options) -> list[Table]:
    """One row for each kind of data and number of features."""
    table = Table(f"Passes to a relative gap of {TOL:g}, 1,000 rows a feature", COLUMNS)
    features = options.pick((20, 50, 100), (20, 50), (20,))
    for kind in options.pick(KINDS, KINDS, ("iid", "Poisson")):
        for p in features:
            options.say(f"pass_counts: {kind}, p = {p}")
            table.add(*_row(kind, p))
    table.notes += [
        "ours, streamed: passes over all rows that the fit counts itself (n_passes_), the last of which "
        "verifies; streamed: a dask array of 16 chunks that is loaded anew in each pass. The penalty is "
        "scikit-learn's default, C = 1.",
        "gap: true relative gap, by an independent solver at the limit of float64; claimed: what the fit "
        "says (gap_).",
        "lbfgs, newton-cholesky: scikit-learn on the same raw features, evaluations of loss, gradient or "
        f"Hessian until the gap was first below {TOL:g}, stopping and verifying not counted; > means never "
        f"within {MOST_EVALUATIONS} iterations (newton-cholesky: 50), or until it gave up.",
    ]
    return [table]


def _row(kind: str, p: int) -> tuple[Any, ...]:
    design = Design(kind, p, seed=p)
    n = 1000 * p
    X, y = design.whole(n)
    truth = solve(Objective(design.family, X, y, 1.0 / n))
    memory, streamed = ours(design.family, X, y, n), ours(design.family, *_chunks(X, y), n)
    counts = [
        peer_evaluations(design.family, X, y, n, solver, truth) for solver in ("lbfgs", "newton-cholesky")
    ]
    return (
        kind,
        p,
        memory.n_passes_,
        truth.gap(memory.coef_, memory.intercept_),
        memory.gap_kind_,
        memory.gap_,
        streamed.n_passes_,
        truth.gap(streamed.coef_, streamed.intercept_),
        *counts,
    )


def _chunks(X: Any, y: Any) -> tuple[Any, Any]:
    rows = -(-len(y) // 16)
    return da.from_array(X, chunks=(rows, -1)), da.from_array(y, chunks=rows)


def ours(family: str, X: Any, y: Any, n: int) -> Any:
    """Our fit; dask arrays are streamed, as if they did not fit in memory."""
    model: Any = (
        LogisticRegression(C=1.0, tol=TOL, verbose=0)
        if family == "logistic"
        else PoissonRegressor(alpha=1.0 / n, tol=TOL, verbose=0)
    )
    # nothing fits in a memory of one byte: a dask array is streamed, a NumPy array is where it is
    with mock.patch("daskml_dist.cluster.in_process.process_limit", lambda: 1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def peer_evaluations(family: str, X: Any, y: Any, n: int, solver: str, truth: Truth) -> str:
    """Evaluations of scikit-learn until the gap is below ``TOL``."""
    from sklearn import linear_model

    common = {"solver": solver, "tol": 1e-13, "max_iter": MOST_EVALUATIONS if solver == "lbfgs" else 50}
    model: Any = (
        linear_model.LogisticRegression(C=1.0, **common)
        if family == "logistic"
        else linear_model.PoissonRegressor(alpha=1.0 / n, **common)
    )
    with evaluations() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    if not seen.values:
        return "–"
    # scikit-learn leaves out the terms of y alone
    constant = float(np.mean(xlogy(y, y) - y)) if family == "poisson" else 0.0
    found = seen.until(lambda value: truth.relative(value + constant) <= TOL)
    if found is not None:
        return str(found)
    return f"> {seen.total} (gap {truth.gap(model.coef_, model.intercept_):.0e})"
