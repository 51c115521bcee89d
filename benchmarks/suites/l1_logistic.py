"""Logistic regression with an L1 penalty: passes to a gap, against scikit-learn's saga."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as Theirs

from benchmarks.climb import climb
from benchmarks.data import Design
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression

COLUMNS = (
    "data",
    "C",
    "zero coefficients",
    "library",
    "passes or epochs",
    "seconds",
    "ratio",
    "gap",
)


def run(options: Options) -> list[Table]:
    """One row for each of our fits, and for each number of epochs of theirs."""
    n, p = options.pick((200_000, 50), (50_000, 20), (2_000, 5))
    table = Table(f"Logistic regression with an L1 penalty, {n:,} x {p} in memory", COLUMNS)
    for kind in ("iid", "correlated", "correlated, scales 1e±3"):
        X, y = Design(kind, p, seed=3).whole(n)
        for C in (0.001, 0.1):
            options.say(f"l1_logistic: {kind}, C = {C:g}")
            _compare(table, kind, C, X, y, options)
    table.notes += [
        "the first two have mean 0 and variance 1, which is what saga is best at.",
        "saga gets ten times the epochs until its gap is at most 1e-6, or the time is up.",
        "gap: above the objective of a fit of ours to 1e-12, relatively.",
    ]
    return [table]


def _compare(table: Table, kind: str, C: float, X: Any, y: Any, options: Options) -> None:
    settings: dict[str, Any] = {"C": C, "l1_ratio": 1.0}
    LogisticRegression(verbose=0).fit(X[:1000], y[:1000])  # what is imported late
    began = time.perf_counter()
    ours = LogisticRegression(**settings, verbose=0).fit(X, y)
    seconds = time.perf_counter() - began
    least = objective(LogisticRegression(**settings, tol=1e-12, max_iter=200, verbose=0).fit(X, y), X, y)

    def gap(model: Any) -> float:
        value = objective(model, X, y)
        return max(value - least, 0.0) / value

    zero = float(np.mean(ours.coef_ == 0.0))
    table.add(kind, C, zero, "daskml_dist", ours.n_passes_, seconds, 1.0, gap(ours))
    for epochs, taken, reached in climb(Theirs(**settings, solver="saga"), X, y, gap, options):
        table.add(kind, C, zero, "scikit-learn saga", epochs, taken, taken / seconds, reached)


def objective(model: Any, X: Any, y: Any) -> float:
    """C times the sum of the losses, and the absolute values of the coefficients."""
    z = model.decision_function(X)
    return float(model.C * np.sum(np.logaddexp(0.0, z) - y * z) + np.abs(model.coef_).sum())
