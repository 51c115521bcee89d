"""Sparse X: scikit-learn's optimum on the same matrix, the same as on dense rows, from any blocks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk

from daskml_dist.errors import NonFiniteData
from daskml_dist.linear_model import (
    ElasticNet,
    GammaRegressor,
    GeneralizedLinearRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from tests.linear_model.problems import chunked, rows
from tests.linear_model.sparse_problems import NEWTON, TIGHT, assert_same, in_blocks, made, quiet

N, P = 900, 40


X = made(N, P)
RNG = np.random.default_rng(1)
MARGIN = X @ (0.7 * RNG.standard_normal(P)) + 0.3
LABELS = (RNG.random(N) < 1.0 / (1.0 + np.exp(-MARGIN))).astype(int)
COUNTS = RNG.poisson(np.exp(MARGIN / 3)).astype(float)
POSITIVE = np.exp(MARGIN / 3) * RNG.gamma(2.0, 0.5, N) + 1e-3
REALS = MARGIN + RNG.standard_normal(N)
WEIGHT = RNG.integers(0, 4, N) / 2.0

FITS: dict[str, tuple[Any, Any, Any]] = {
    "logistic": (LogisticRegression(**TIGHT), sk.LogisticRegression(**NEWTON), LABELS),
    "poisson": (PoissonRegressor(alpha=0.01, **TIGHT), sk.PoissonRegressor(alpha=0.01, **NEWTON), COUNTS),
    "gamma": (GammaRegressor(alpha=0.01, **TIGHT), sk.GammaRegressor(alpha=0.01, **NEWTON), POSITIVE),
    "tweedie": (
        TweedieRegressor(power=1.5, alpha=0.01, **TIGHT),
        sk.TweedieRegressor(power=1.5, alpha=0.01, **NEWTON),
        POSITIVE,
    ),
    "family and link": (
        GeneralizedLinearRegressor(family="poisson", alpha=0.01, **TIGHT),
        sk.PoissonRegressor(alpha=0.01, **NEWTON),
        COUNTS,
    ),
    "ridge": (Ridge(**TIGHT), sk.Ridge(tol=1e-14, max_iter=10_000, solver="sparse_cg"), REALS),
    "lasso": (Lasso(alpha=0.01, **TIGHT), sk.Lasso(alpha=0.01, tol=1e-14, max_iter=100_000), REALS),
    "elastic net": (
        ElasticNet(alpha=0.01, **TIGHT),
        sk.ElasticNet(alpha=0.01, tol=1e-14, max_iter=100_000),
        REALS,
    ),
}
every_fit = pytest.mark.parametrize(("ours", "theirs", "y"), FITS.values(), ids=FITS)


@every_fit
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_scikit_learns_optimum_on_the_same_matrix(ours: Any, theirs: Any, y: Any, weighted: bool) -> None:
    weight = WEIGHT if weighted else None
    model = ours.fit(X, y, weight)
    assert_same(model, quiet(theirs, scipy.sparse.csr_matrix(X), y, weight))
    assert model.n_passes_ < 30


@every_fit
def test_sparse_rows_are_dense_rows(ours: Any, theirs: Any, y: Any) -> None:
    sparse, dense = ours.fit(X, y).coef_.copy(), ours.fit(X.toarray(), y).coef_.copy()
    assert_allclose(sparse, dense, rtol=1e-7, atol=1e-8)


def test_ordinary_least_squares_of_full_rank() -> None:
    wide = scipy.sparse.csr_array(X[:, [j for j in range(P) if j not in (3, P - 1)]])
    model = LinearRegression(**TIGHT).fit(wide, REALS, WEIGHT)
    assert_same(model, sk.LinearRegression().fit(wide.toarray(), REALS, WEIGHT))
    table = np.column_stack([REALS, MARGIN])
    assert_same(LinearRegression(**TIGHT).fit(wide, table), sk.LinearRegression().fit(wide.toarray(), table))


@pytest.mark.thinned(5)
@pytest.mark.parametrize("pieces", [3, 17])
@pytest.mark.parametrize("name", ["logistic", "poisson", "ridge", "elastic net"])
def test_blocks_on_every_backend(name: str, pieces: int, backend: str) -> None:
    ours, theirs, y = FITS[name]
    lazy, target = in_blocks(X, pieces), chunked(y, pieces)
    model = ours.fit(lazy, target, chunked(WEIGHT, pieces))
    assert_same(model, quiet(theirs, X, y, WEIGHT))
    assert (model.graph_ is None) == (backend == "threads")
    predicted = model.predict(lazy)
    assert predicted.chunks == target.chunks and type(predicted._meta) is np.ndarray
    assert_array_equal(predicted.compute(), model.predict(X))
    assert_allclose(model.score(lazy, target), model.score(X, y), rtol=1e-9)


FORMATS: dict[str, Callable[[Any], Any]] = {
    "csr_array": scipy.sparse.csr_array,
    "csr_matrix": scipy.sparse.csr_matrix,
    "csc_array": scipy.sparse.csc_array,
    "coo_matrix": scipy.sparse.coo_matrix,
    "lil": scipy.sparse.lil_array,
    "int64 indices": lambda X: _with_indices(X, np.int64),
    "unsorted": lambda X: _reversed(X),
    "duplicates": lambda X: _halved(X),
    "blocks": lambda X: in_blocks(X, 4),
    "blocks, csr_array": lambda X: chunked(X.toarray(), 4).map_blocks(scipy.sparse.csr_array),
    "blocks, csc": lambda X: chunked(X.toarray(), 4).map_blocks(scipy.sparse.csc_matrix),
    "blocks of columns": lambda X: _columns_cut(X).map_blocks(scipy.sparse.csr_matrix),
    "blocks that say they are dense": lambda X: chunked(X.toarray(), 4).map_blocks(
        scipy.sparse.csr_matrix, meta=np.empty((0, 0))
    ),
    "unknown lengths": lambda X: _uncounted(in_blocks(X, 4)),
}


def _with_indices(X: Any, dtype: Any) -> Any:
    made = X.copy()
    made.indices, made.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    return made


def _reversed(X: Any) -> Any:
    made = X.copy()
    for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        made.indices[a:b], made.data[a:b] = X.indices[a:b][::-1], X.data[a:b][::-1]
    made.has_sorted_indices = False
    return made


def _halved(X: Any) -> Any:
    """Each entry as two halves of it."""
    indptr, indices = 2 * X.indptr, np.repeat(X.indices, 2)
    return scipy.sparse.csr_array((np.repeat(X.data / 2, 2), indices, indptr), shape=X.shape)


def _columns_cut(X: Any) -> Any:
    return da.from_array(X.toarray(), chunks=(rows(X.shape[0], 4), (7, 20, X.shape[1] - 27)))


def _uncounted(array: Any) -> Any:
    chunks = ((np.nan,) * array.numblocks[0], *array.chunks[1:])
    return da.Array(array.dask, array.name, chunks, meta=array._meta)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_the_same_matrix(name: str) -> None:
    given = FORMATS[name](X)
    lazy = isinstance(given, da.Array)
    y = chunked(LABELS, 4) if lazy and not np.isnan(given.shape[0]) else LABELS
    model = LogisticRegression(**TIGHT).fit(given, y)
    assert_allclose(model.coef_, LogisticRegression(**TIGHT).fit(X, LABELS).coef_, rtol=1e-9, atol=1e-12)
    probabilities = model.predict_proba(given)
    assert isinstance(probabilities, da.Array) == lazy
    assert_allclose(np.asarray(probabilities), model.predict_proba(X.toarray()), rtol=1e-12)


def test_a_lazy_target_cuts_a_matrix_in_memory(backend: str) -> None:
    model = LogisticRegression(**TIGHT).fit(X, chunked(LABELS, 5))
    assert_same(model, FITS["logistic"][1].fit(X, LABELS))


def test_a_matrix_in_memory_goes_to_a_cluster(client: Any) -> None:
    model = LogisticRegression(**TIGHT, scheduler=client).fit(X, LABELS)
    assert_same(model, FITS["logistic"][1].fit(X, LABELS))
    assert model.graph_ is not None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_entries_that_are_not_finite_are_found(value: float, backend: str) -> None:
    bad = X.copy()
    column = int(bad.indices[bad.indptr[700]])
    bad.data[bad.indptr[700]] = value
    what = "NaN" if np.isnan(value) else "infinity"
    lazy = da.from_array(bad.toarray(), chunks=(300, P)).map_blocks(scipy.sparse.csr_matrix)
    place = f"first in row 100 of the chunk, column {column}"
    with pytest.raises(NonFiniteData, match=f"X contains {what}: 1 value.*chunk 2, the {place}"):
        LogisticRegression(verbose=0).fit(lazy, da.from_array(LABELS, chunks=300))
    with pytest.raises(NonFiniteData, match=f"X contains {what}"):
        Ridge(verbose=0).fit(bad, REALS)
    model = Ridge(verbose=0).fit(X, REALS)
    with pytest.raises(NonFiniteData, match=f"(?s)X contains {what}.*row 700, column {column}"):
        model.predict(bad)
    with pytest.raises(NonFiniteData, match=f"(?s)X contains {what}.*row 100 of chunk 2, column {column}"):
        model.predict(lazy).compute(scheduler="threads")
