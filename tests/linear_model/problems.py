"""Data that no one scaled, the ways to cut them into chunks, and scikit-learn's answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import dask.array as da
import numpy as np
from sklearn import linear_model as sk

from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge

N, P = 600, 5
SCALES = 10.0 ** np.linspace(-3, 3, P)
MEANS = np.array([0.0, 3.0, -50.0, 100.0, 7.0])


@dataclass(frozen=True)
class Data:
    """Features of very different units, far from zero, and a target for each estimator."""

    X: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    reals: np.ndarray
    table: np.ndarray
    weight: np.ndarray
    offset: np.ndarray

    def target(self, estimator: type) -> np.ndarray:
        return {LogisticRegression: self.labels, PoissonRegressor: self.counts}.get(estimator, self.reals)


@cache
def data(n: int = N, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n, P))
    z = raw @ np.array([0.5, -1.0, 0.3, 0.8, -0.4])
    reals = 100 + 5 * z + rng.standard_normal(n)
    return Data(
        X=(raw + MEANS) * SCALES,
        labels=(rng.random(n) < 1 / (1 + np.exp(-z - 0.3))).astype(int),
        counts=rng.poisson(np.exp(0.3 * z + 0.5)).astype(float),
        reals=reals,
        table=np.column_stack([reals, 1e3 * z, rng.standard_normal(n)]),
        weight=3 * rng.random(n) * (rng.random(n) > 0.1),
        offset=0.5 * rng.standard_normal(n),
    )


def rows(n: int, pieces: int, seed: int = 0) -> tuple[int, ...]:
    """So many chunks, some of them with one row and one of them with none, of uneven sizes."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(np.arange(2, n - 1), pieces - 3, replace=False)) if pieces > 3 else []
    ends = np.concatenate([[0, 1], cuts, [n - 1] if pieces > 2 else [], [n]])
    sizes = [int(size) for size in np.diff(ends)]
    sizes[len(sizes) // 2 : len(sizes) // 2] = [0]
    return tuple(sizes[: pieces - 1] + [sum(sizes[pieces - 1 :])])


def chunked(array: Any, pieces: int, seed: int = 0) -> Any:
    """The array with its rows in uneven chunks."""
    return da.from_array(array, chunks=(rows(len(array), pieces, seed), *((w,) for w in array.shape[1:])))


def reference(model: Any, X: Any, y: Any, weight: Any = None) -> Any:
    """scikit-learn's model with the same parameters, converged as far as it goes."""
    shared = {"fit_intercept": model.fit_intercept}
    if isinstance(model, LinearRegression):
        other: Any = sk.LinearRegression(tol=1e-15, **shared)  # singular values below tol are cut off
    elif isinstance(model, Ridge):
        other = sk.Ridge(alpha=model.alpha, solver="svd", **shared)
    elif isinstance(model, LogisticRegression):
        shared |= {"C": model.C, "class_weight": model.class_weight}
        other = sk.LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **shared)
    else:
        shared |= {"alpha": model.alpha}
        other = sk.PoissonRegressor(solver="newton-cholesky", tol=1e-12, max_iter=1000, **shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return other.fit(X, y, weight)


def difference(model: Any, other: Any) -> float:
    """Largest relative difference of a coefficient or an intercept."""
    ours = np.append(np.ravel(model.coef_), np.ravel(model.intercept_))
    theirs = np.append(np.ravel(other.coef_), np.ravel(other.intercept_))
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-300)))
