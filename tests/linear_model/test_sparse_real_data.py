"""Real sparse data: as accurate as scikit-learn's model on rows it has not seen, and never made dense."""

from __future__ import annotations

import gzip
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.datasets import load_svmlight_files

from daskml_dist.linear_model import LogisticRegression

Split = tuple[Any, Any, Any, Any]


def _a9a(folder: Path) -> Split:
    X, y, X_test, y_test = load_svmlight_files(
        [str(folder / "a9a" / name) for name in ("a9a.gz", "a9a.t.gz")], n_features=123
    )
    return X, y, X_test, y_test


def _rcv1(folder: Path) -> Split:
    train = _vowpal(folder / "rcv1-small" / "rcv1_small.dat.gz")
    return (*train, *_vowpal(folder / "rcv1-small" / "rcv1_small_test.data.gz"))


def _vowpal(path: Path, n_features: int = 47_237) -> tuple[Any, Any]:
    y, data, indices, indptr = [], [], [], [0]
    with gzip.open(path, "rt") as lines:
        for line in lines:
            head, rest = line.split("|", 1)
            y.append(float(head.split()[0]))
            pairs = [item.split(":") for item in rest.split()[1:]]
            indices += [int(i) for i, _ in pairs]
            data += [float(v) for _, v in pairs]
            indptr.append(len(indices))
    return scipy.sparse.csr_matrix((data, indices, indptr), shape=(len(y), n_features)), np.array(y)


def _sector(folder: Path) -> Split:
    """Whether the number of the class is odd: two halves of 105 kinds of pages."""
    X, y, X_test, y_test = _pages(folder)
    return X, y % 2, X_test, y_test % 2


@cache
def _pages(folder: Path) -> Split:
    """Pages of 105 kinds."""
    files = [str(folder / "sector" / name) for name in ("sector.scale.bz2", "sector.t.scale.bz2")]
    return tuple(load_svmlight_files(files, n_features=55_197))


#: how to read it; C; scikit-learn's solver; and the least accuracy on the test set
SETS: dict[str, tuple[Any, float, str, float]] = {
    "a9a": (_a9a, 1.0, "newton-cholesky", 0.849),
    "rcv1": (_rcv1, 10.0, "newton-cg", 0.875),
    "sector": (_sector, 10.0, "newton-cg", 0.93),
}


@pytest.mark.parametrize("name", ["a9a", "rcv1", pytest.param("sector", marks=pytest.mark.slow)])
def test_accuracy_and_optimum_in_bounded_memory(name: str, shared_data: Path) -> None:
    read, C, solver, least = SETS[name]
    X, y, X_test, y_test = read(shared_data)
    lazy, target = _in_blocks(X, 1000), da.from_array(y, chunks=1000)
    tracemalloc.start()
    model = LogisticRegression(C=C, tol=1e-12, max_iter=1000, verbose=0).fit(lazy, target)
    labels = model.predict(_in_blocks(X_test, 1000)).compute(scheduler="synchronous")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    assert peak < 4 * held + 64e6
    assert name == "a9a" or peak < 0.2 * 8 * X.shape[0] * X.shape[1]
    other = sk.LogisticRegression(C=C, solver=solver, tol=1e-9, max_iter=1000).fit(X, y)
    assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-5 * np.abs(other.coef_).max())
    accuracy = float(np.mean(labels == y_test))
    assert accuracy >= max(least, float(other.score(X_test, y_test)) - 1e-3)
    assert accuracy == model.score(_in_blocks(X_test, 1000), da.from_array(y_test, chunks=1000))


@pytest.mark.slow
def test_an_l1_penalty_in_bounded_memory(shared_data: Path) -> None:
    """liblinear's optimum; a whole Hessian would be 18 GB."""
    X, y, _, _ = _rcv1(shared_data)
    tracemalloc.start()
    model = LogisticRegression(C=1.0, l1_ratio=1.0, fit_intercept=False, verbose=0)
    model.fit(_in_blocks(X, 100), da.from_array(y, chunks=100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
    assert model.gap_ <= 1e-6 and model.gap_kind_ == "duality" and model.n_passes_ <= 10
    options: dict[str, Any] = {"l1_ratio": 1.0, "solver": "liblinear", "fit_intercept": False}
    other = sk.LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000, **options).fit(X, y)
    values = [
        np.logaddexp(0.0, -np.where(y > 0, 1, -1) * (X @ each.coef_[0])).sum() + np.abs(each.coef_).sum()
        for each in (model, other)
    ]
    assert_allclose(*values, rtol=1e-6)
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-4 * np.abs(other.coef_).max())


@pytest.mark.slow
@pytest.mark.parametrize("classes", [5, 20])
def test_many_coefficients_in_bounded_memory(classes: int, shared_data: Path) -> None:
    """A quarter of a million of them, or a whole one; as accurate as scikit-learn's."""
    X, y, X_test, y_test = _pages(shared_data)
    few, few_test = y <= classes, y_test <= classes
    X, y, X_test, y_test = X[few], y[few], X_test[few_test], y_test[few_test]
    tracemalloc.start()
    model = LogisticRegression(C=10.0, tol=1e-3, max_iter=100, verbose=0)
    model.fit(_in_blocks(X, 200), da.from_array(y, chunks=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.coef_.shape == (classes, 55_197)
    assert model.gap_ <= 1e-3
    assert peak < 0.9 * 8 * X.shape[0] * X.shape[1]
    other = sk.LogisticRegression(C=10.0, max_iter=300).fit(X, y)
    assert model.score(X_test, y_test) >= other.score(X_test, y_test) - 5e-3


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", SETS)
def test_few_passes_to_the_default_tolerance(name: str, shared_data: Path) -> None:
    read, C, _, _ = SETS[name]
    X, y, _, _ = read(shared_data)
    model = LogisticRegression(C=C, verbose=0).fit(X, y)
    assert model.gap_ <= 1e-6
    assert model.n_passes_ <= {"a9a": 3, "rcv1": 30, "sector": 60}[name]


def _in_blocks(X: Any, rows: int) -> Any:
    """The matrix as a dask array of its own rows."""
    ends = range(0, X.shape[0], rows)
    blocks = [dask.delayed(X[start : start + rows]) for start in ends]
    meta = scipy.sparse.csr_array((0, X.shape[1]))
    arrays = [
        da.from_delayed(block, (min(rows, X.shape[0] - start), X.shape[1]), meta=meta)
        for start, block in zip(ends, blocks, strict=True)
    ]
    return da.concatenate(arrays, axis=0)
