"""Gradient descent: passes of each rule of steps to relative gaps, on data of several kinds."""

from __future__ import annotations

import time
import warnings
from typing import Any

from benchmarks.data import Design
from benchmarks.objective import Objective, Truth, solve
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor
from daskml_dist.optimizers import SGD, Adam, Momentum, Nesterov, ScheduleFree
from daskml_dist.optimizers.schedules import Cosine
from daskml_dist.solvers import GradientDescent

GAPS = (1e-2, 1e-4, 1e-6)
KINDS = ("correlated, scales 1e±3", "iid", "1 % positive", "Poisson")
MOST = 1000
RULES: dict[str, Any] = {
    "gradient_descent (barzilai_borwein)": "gradient_descent",
    "backtracking": GradientDescent("backtracking"),
    "SGD(1.0), a fixed step": GradientDescent(SGD(1.0)),
    "Momentum(1.0, 0.9)": GradientDescent(Momentum(1.0, 0.9)),
    "Nesterov(1.0, 0.9)": GradientDescent(Nesterov(1.0, 0.9)),
    "Nesterov(0.2, 0.9)": GradientDescent(Nesterov(0.2, 0.9)),
    "ScheduleFree(1.0)": GradientDescent(ScheduleFree(1.0)),
    "Adam(Cosine(0.1, 200))": GradientDescent(Adam(Cosine(0.1, steps=200, eta_min=1e-4))),
    "lbfgs": "lbfgs",
    "auto": "auto",
}
COLUMNS = ("data", "steps", *(f"passes to {gap:g}" for gap in GAPS), "passes", "seconds", "gap", "claimed")


def run(options: Options) -> list[Table]:
    """One row for each kind of data and rule."""
    n, p = options.pick((100_000, 50), (20_000, 20), (2_000, 5))
    table = Table(f"Gradient descent by its rules of steps, {n:,} x {p} in memory", COLUMNS)
    for kind in options.pick(KINDS, KINDS, KINDS[:2]):
        design = Design(kind, p, seed=p)
        X, y = design.whole(n)
        truth = solve(Objective(design.family, X, y, 1.0 / n))
        for name, solver in RULES.items():
            options.say(f"step_rules: {kind}, {name}")
            table.add(kind, name, *_row(design.family, solver, X, y, truth))
    table.notes += [
        "passes to a gap: until the objective of the best model so far was within it of an independent "
        f"minimum; – means never within {MOST}, or that it diverged or stopped before. passes: until the fit "
        "stopped by itself (tol 1e-6); gap: the true one then; claimed: gap_.",
        "auto ends with a step that is proven rather than looked at, so that its objective is in no pass; "
        "features are raw; learning rates are in units of the inverse of the largest curvature at the start.",
    ]
    return [table]


def _row(family: str, solver: Any, X: Any, y: Any, truth: Truth) -> tuple[Any, ...]:
    settings: dict[str, Any] = {"solver": solver, "max_iter": MOST, "verbose": 0}
    model: Any = (
        LogisticRegression(C=1.0, **settings)
        if family == "logistic"
        else PoissonRegressor(alpha=1.0 / len(y), **settings)
    )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    seconds = time.perf_counter() - began
    reached = [(row["passes"], truth.relative(row["objective"])) for row in model.history_]
    first = [next((passes for passes, gap in reached if gap <= most), None) for most in GAPS]
    return (*first, model.n_passes_, seconds, truth.gap(model.coef_, model.intercept_), model.gap_)
