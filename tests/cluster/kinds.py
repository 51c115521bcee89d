"""A fit of each kind of estimator, on seeded data whose lost chunks can be made anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import dask.array as da
import numpy as np
import scipy.sparse

from daskml_dist import linear_model as ours
from daskml_dist.solvers import choose
from tests.cluster.nemesis import blocks, seeded

TIGHT: dict[str, Any] = {"verbose": 0, "tol": 1e-12}
QUIET: dict[str, Any] = {"verbose": 0}
Kind = Callable[[Any, int], Any]


def logistic(scheduler: Any, rows: int) -> Any:
    X, labels, _ = seeded(rows, rows // 6)
    model = ours.LogisticRegression(verbose=0, solver="lbfgs", tol=1e-13, scheduler=scheduler)
    return model.fit(X, labels)


def poisson(scheduler: Any, rows: int) -> Any:
    X, _, counts = seeded(rows, rows // 6)
    model = ours.PoissonRegressor(verbose=0, solver="lbfgs", tol=1e-13, scheduler=scheduler)
    return model.fit(X, counts)


def sparse_logistic(scheduler: Any, rows: int) -> Any:
    """Rows without their small values, and Newton's method with products in place of Hessians."""
    X, labels, _ = seeded(rows, rows // 6)
    thin = X.map_blocks(thinned, dtype=X.dtype, meta=scipy.sparse.csr_matrix((0, 0)))
    with mock.patch.object(choose, "MOST_SPARSE", 5), mock.patch.object(choose, "SPARSE_HESSIAN", 5):
        model = ours.LogisticRegression(scheduler=scheduler, max_iter=1000, **TIGHT).fit(thin, labels)
    assert "HessianVector" in {row["question"] for row in model.history_}
    return model


def thinned(block: np.ndarray) -> Any:
    return scipy.sparse.csr_matrix(np.where(np.abs(block) > 1.0, block, 0.0))


def model_of(model: Any, y: str) -> Kind:
    """That model of the seeded data: of their labels, counts, classes, or numbers with a decimal."""

    def fitted(scheduler: Any, rows: int) -> Any:
        X, labels, counts = seeded(rows, rows // 6)
        target = {
            "labels": labels,
            "counts": counts,
            "classes": da.minimum(counts, 2).astype(int),
            "reals": counts + blocks(X[:, 3], np.tanh),
        }[y]
        return type(model)(**{**model.get_params(), "scheduler": scheduler}).fit(X, target)

    return fitted


KINDS: dict[str, Kind] = {
    "logistic": logistic,
    "poisson": poisson,
    "sparse logistic": sparse_logistic,
    "ridge": model_of(ours.Ridge(**QUIET), "counts"),
    "three classes": model_of(ours.LogisticRegression(**TIGHT), "classes"),
    "l1 logistic": model_of(ours.LogisticRegression(C=0.005, l1_ratio=1.0, **TIGHT), "labels"),
    "logistic search": model_of(ours.LogisticRegressionCV(Cs=[0.01, 1.0], cv=3, **TIGHT), "labels"),
    "elastic net": model_of(ours.ElasticNet(alpha=0.05, **QUIET), "reals"),
    "lasso search": model_of(ours.LassoCV(alphas=10, **QUIET), "reals"),
    "ridge, rows left out": model_of(ours.RidgeCV(**QUIET), "reals"),
    "the worst partition": model_of(ours.MinimaxClassifier(**TIGHT), "labels"),
    "hinge": model_of(ours.LinearSVC(loss="hinge", verbose=0, tol=1e-9), "labels"),
    "tube": model_of(ours.LinearSVR(epsilon=0.2, verbose=0, tol=1e-9), "reals"),
    "huber": model_of(ours.HuberRegressor(**TIGHT), "reals"),
    "quantile": model_of(ours.QuantileRegressor(alpha=0.0, **QUIET), "reals"),
    "ridge classes": model_of(ours.RidgeClassifier(**QUIET), "classes"),
    "ridge classes search": model_of(ours.RidgeClassifierCV(**QUIET), "classes"),
    "bounds": model_of(
        ours.GeneralizedLinearRegressor(family="poisson", alpha=0.01, upper_bounds=0.2, **TIGHT), "counts"
    ),
    "tweedie": model_of(ours.TweedieRegressor(power=1.5, link="log", **TIGHT), "counts"),
    "synchronous sgd": model_of(
        ours.SGDClassifier(max_iter=2, tol=None, batch_size=1500, **QUIET), "classes"
    ),
    "averaged models": model_of(
        ours.SGDRegressor(strategy="model_averaging", max_iter=2, tol=None, **QUIET), "reals"
    ),
}


def told(model: Any) -> tuple[bytes, bytes, int, float]:
    """Everything that must not change."""
    return (
        np.asarray(model.coef_).tobytes(),
        np.asarray(model.intercept_).tobytes(),
        model.n_passes_,
        float(model.gap_),
    )
