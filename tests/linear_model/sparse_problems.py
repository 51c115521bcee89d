"""Sparse data that more than one test file needs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose

from tests.linear_model.problems import chunked

TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}
NEWTON: dict[str, Any] = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 1000}


def made(n: int, p: int, density: float = 0.15, seed: int = 0) -> Any:
    """Sparse rows with empty ones among them, empty columns, and stored zeros."""
    rng = np.random.default_rng(seed)
    X = scipy.sparse.random_array((n, p), density=density, rng=rng, format="csr")
    X.data = np.round(2.0 * X.data + 0.5, 1)
    X.data[::17] = 0.0
    keep = np.ones(p)
    keep[[3, p - 1]] = 0.0
    X = scipy.sparse.csr_array(X @ scipy.sparse.diags_array(keep))
    lost = np.ones(n)
    lost[[0, 5, n // 2, n - 1]] = 0.0
    return scipy.sparse.csr_array(scipy.sparse.diags_array(lost) @ X)


def quiet(model: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def assert_same(model: Any, other: Any, rtol: float = 1e-6) -> None:
    ours, theirs = np.ravel(model.coef_), np.ravel(other.coef_)
    assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())
    assert_allclose(model.intercept_, other.intercept_, rtol=rtol, atol=rtol * np.abs(theirs).max())


def in_blocks(X: Any, pieces: int) -> Any:
    """A dask array of csr blocks, some of one row and one of none."""
    return chunked(X.toarray(), pieces).map_blocks(scipy.sparse.csr_matrix)
