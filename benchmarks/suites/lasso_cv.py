"""Penalties by cross-validation: all of them and all folds from one pass, against scikit-learn's fits."""

from __future__ import annotations

import time
import warnings
from statistics import median
from typing import Any

import numpy as np
from scipy.signal import lfilter
from sklearn import linear_model as theirs

from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist import linear_model as ours

COLUMNS = (
    "estimator",
    "candidates x folds",
    "passes",
    "ours, s",
    "scikit-learn, s",
    "ratio",
    "scores, largest difference",
    "alpha_, difference",
    "coef_, largest difference",
)
TIGHT = 1e-10  # scikit-learn's tolerance, at which its path is compared; its default, 1e-4, is timed


def run(options: Options) -> list[Table]:
    """One row for each estimator, on the same data."""
    rows, p = options.pick((500_000, 50), (100_000, 50), (3_000, 10))
    X, y = _data(rows, p)
    table = Table(f"Penalties by cross-validation, {rows:,} x {p} in memory", COLUMNS)
    alphas = np.geomspace(1e-2, 1e6, 20)
    lasso, net = {"cv": 5}, {"cv": 5, "l1_ratio": 0.5}
    for name, parameters, candidates in (
        ("LassoCV", lasso, "100 x 5"),
        ("ElasticNetCV", net, "100 x 5"),
        ("RidgeCV", {"cv": 5, "alphas": alphas, "scoring": "neg_mean_squared_error"}, "20 x 5"),
        ("RidgeCV", {"alphas": alphas}, f"20 x {rows:,}"),
    ):
        options.say(f"lasso_cv: {name}, {candidates}")
        table.add(*_row(name, parameters, candidates, X, y, options.pick(3, 2, 1)))
    table.notes += [
        "correlated features (AR 0.5), 20 % of which matter. RidgeCV with as many folds as rows "
        "leaves out one row at a time.",
        "medians of fits in turns, in one process. scikit-learn is timed with its own tolerance (1e-4, which "
        f"RidgeCV has not) and compared at {TIGHT:g}; differences are relative.",
        "scores: mse_path_, for RidgeCV best_score_.",
    ]
    return [table]


def _data(rows: int, p: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = lfilter([1.0], [1.0, -0.5], rng.standard_normal((rows, p)), axis=1)
    w = rng.standard_normal(p) * (np.arange(p) % 5 == 0)
    return X, X @ w + 3.0 * rng.standard_normal(rows) + 1.0


def _row(name: str, parameters: dict[str, Any], candidates: str, X: Any, y: Any, repeats: int) -> list[Any]:
    mine = getattr(ours, name)(**parameters, verbose=0)
    his = getattr(theirs, name)(**parameters)
    times: dict[Any, list[float]] = {mine: [], his: []}
    mine.fit(X[:1000], y[:1000])  # what is imported late
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            for model, taken in times.items():
                began = time.perf_counter()
                model.fit(X, y)
                taken.append(time.perf_counter() - began)
        if "tol" in his.get_params():
            his.set_params(tol=TIGHT, max_iter=100_000).fit(X, y)
    scores = [np.asarray(vars(model).get("mse_path_", vars(model).get("best_score_"))) for model in times]
    seconds = [median(taken) for taken in times.values()]
    return [
        name,
        candidates,
        mine.n_passes_,
        *seconds,
        seconds[1] / seconds[0],
        _difference(*scores),
        _difference(np.asarray(mine.alpha_), np.asarray(his.alpha_)),
        _difference(mine.coef_, his.coef_),
    ]


def _difference(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))
