"""Multinomial logistic regression: passes and time to a gap, against scikit-learn's lbfgs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression as Theirs

from benchmarks import real
from benchmarks.climb import climb
from benchmarks.options import Options, data_folder
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression

COLUMNS = ("data", "library", "passes or iterations", "seconds", "ratio", "gap")
Data = tuple[Any, Any]


def run(options: Options) -> list[Table]:
    """One row for each of our fits, and for each number of iterations of theirs."""
    table = Table("Multinomial logistic regression in memory, C = 1", COLUMNS)
    for name, (X, y) in _sets(options).items():
        options.say(f"several_classes: {name}, {X.shape[0]:,} x {X.shape[1]}")
        LogisticRegression(verbose=0).fit(X[:1000], y[:1000])  # what is imported late
        began = time.perf_counter()
        ours = LogisticRegression(verbose=0, max_iter=300).fit(X, y)
        seconds = time.perf_counter() - began
        judge = Judge(X, y)
        table.add(name, "daskml_dist", ours.n_passes_, seconds, 1.0, judge.gap(ours))
        for iterations, taken, gap in climb(Theirs(solver="lbfgs"), X, y, judge.gap, options):
            options.say(f"several_classes: scikit-learn, {iterations} iterations")
            table.add(name, "scikit-learn lbfgs", iterations, taken, taken / seconds, gap)
    table.notes += [
        "gap: above the objective of a fit of ours to 1e-10, relatively. ratio: to our time. scikit-learn "
        "gets ten times the iterations until its gap is at most 1e-6, or the time is up.",
    ]
    return [table]


def _sets(options: Options) -> dict[str, Data]:
    folder = data_folder()
    if folder is None or options.size == "tiny":
        X, y = load_digits(return_X_y=True)
        few = options.pick(len(X), len(X), 300)
        return {"digits / 16": (X[:few] / 16.0, y[:few])}
    few = options.pick(60_000, 5_000, 0)
    X, y = real.mnist_digits(folder)
    return {"letter": real.letter(folder), "mnist / 255": (X[:few] / 255.0, y[:few])}


class Judge:
    """How far a model is above the minimum."""

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = X, np.unique(y, return_inverse=True)[1]
        self.least = self.objective(LogisticRegression(verbose=0, tol=1e-10, max_iter=2_000).fit(X, y))
        counts = np.bincount(self.y)
        self.null = -float(counts @ np.log(counts / counts.sum()))

    def objective(self, model: Any) -> float:
        """Sum of the losses, and half the squared norm of the coefficients."""
        logs = model.predict_log_proba(self.X)[np.arange(len(self.y)), self.y]
        return float(-logs.sum() + 0.5 * np.sum(np.square(model.coef_)))

    def gap(self, model: Any) -> float:
        """Relative to the minimum, as ``gap_`` is."""
        value = self.objective(model)
        return max(value - self.least, 0.0) / max(value, 1e-3 * self.null)
