"""Sparse X: scikit-learn's optimum on the same matrix, the same as on dense rows, from any blocks of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk
from sklearn import svm

from daskml_dist.cluster import memory
from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination
from daskml_dist.linear_model import (
    ElasticNet,
    GammaRegressor,
    GeneralizedLinearRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeCV,
    TweedieRegressor,
)
from daskml_dist.solvers import choose, least_squares
from tests.linear_model.problems import chunked, rows

N, P = 900, 40
TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}


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


X = made(N, P)
RNG = np.random.default_rng(1)
MARGIN = X @ (0.7 * RNG.standard_normal(P)) + 0.3
LABELS = (RNG.random(N) < 1.0 / (1.0 + np.exp(-MARGIN))).astype(int)
COUNTS = RNG.poisson(np.exp(MARGIN / 3)).astype(float)
POSITIVE = np.exp(MARGIN / 3) * RNG.gamma(2.0, 0.5, N) + 1e-3
REALS = MARGIN + RNG.standard_normal(N)
WEIGHT = RNG.integers(0, 4, N) / 2.0

NEWTON: dict[str, Any] = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 1000}
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


# ------------------------------------------------------------------------------- many features

WIDE = made(400, 150, density=0.08, seed=3)
WIDE_MARGIN = WIDE @ np.random.default_rng(4).standard_normal(150)
WIDE_LABELS = (WIDE_MARGIN > np.median(WIDE_MARGIN)).astype(int)
WIDE_FITS: dict[str, tuple[Any, Any, Any]] = {
    "logistic": (LogisticRegression(**TIGHT, max_iter=1000), sk.LogisticRegression(**NEWTON), WIDE_LABELS),
    "poisson": (
        PoissonRegressor(alpha=0.1, max_iter=1000, **TIGHT),
        sk.PoissonRegressor(alpha=0.1, **NEWTON),
        np.floor(np.abs(WIDE_MARGIN)),
    ),
    "ridge": (
        Ridge(alpha=0.5, max_iter=1000, **TIGHT),
        sk.Ridge(alpha=0.5, tol=1e-15, max_iter=10_000, solver="sparse_cg"),
        WIDE_MARGIN,
    ),
}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 features are taken for many, so that scikit-learn can be asked with its Hessian."""
    monkeypatch.setattr(choose, "MOST_SPARSE", 100)
    monkeypatch.setattr(choose, "SPARSE_HESSIAN", 100)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("pieces", [1, 3, 17])
@pytest.mark.parametrize("name", WIDE_FITS)
def test_many_features_need_no_hessian(name: str, pieces: int, backend: str) -> None:
    ours, theirs, y = WIDE_FITS[name]
    data = (WIDE, y) if pieces == 1 else (in_blocks(WIDE, pieces), chunked(y, pieces))
    model = ours.fit(*data)
    assert_same(model, quiet(theirs, WIDE, y))
    asked = [row["question"] for row in model.history_]
    assert set(asked) == {"Sweep", "HessianVector"}
    assert model.n_passes_ == len(asked) == model.history_[-1]["passes"]


KINDS = np.digitize(WIDE_MARGIN, np.quantile(WIDE_MARGIN, [0.3, 0.6]))


@pytest.fixture
def few_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``few``, for several classes."""
    monkeypatch.setattr(choose, "MOST_JOINT_PARAMETERS", 100)
    monkeypatch.setattr(choose, "MOST_ELEMENTS", 100)


@pytest.mark.usefixtures("few_of_classes")
@pytest.mark.parametrize("pieces", [1, 3, 17])
@pytest.mark.parametrize("intercept", [True, False])
def test_several_classes_of_many_features(pieces: int, intercept: bool, backend: str) -> None:
    data = (WIDE, KINDS) if pieces == 1 else (in_blocks(WIDE, pieces), chunked(KINDS, pieces))
    model = LogisticRegression(C=3.0, fit_intercept=intercept, max_iter=1000, **TIGHT).fit(*data)
    assert {row["question"] for row in model.history_} == {"Sweep", "HessianVector"}
    other = sk.LogisticRegression(C=3.0, fit_intercept=intercept, **NEWTON).fit(WIDE, KINDS)
    assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-6)
    assert_allclose(model.intercept_, np.ravel(other.intercept_), atol=1e-6)
    assert model.gap_ <= 1e-14 or model.gap_kind_ == "estimate"


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "newton-cg"])
def test_every_solver_for_several_classes(solver: str) -> None:
    model = LogisticRegression(solver=solver, tol=1e-12, max_iter=1000, verbose=0).fit(WIDE, KINDS)
    other = sk.LogisticRegression(**NEWTON).fit(WIDE, KINDS)
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=2e-5 * np.abs(other.coef_).max())


def assert_scores(model: Any, other: Any) -> None:
    assert model.scores_.keys() == other.scores_.keys()
    for label, scores in model.scores_.items():
        assert_allclose(scores, other.scores_[label], rtol=1e-12)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("y", [WIDE_LABELS, KINDS], ids=["two classes", "three"])
def test_cross_validation_of_sparse_rows(solver: str, y: Any) -> None:
    settings: dict[str, Any] = {"Cs": [0.1, 3.0], "cv": 3, "tol": 1e-12, "max_iter": 1000, "verbose": 0}
    model = LogisticRegressionCV(solver=solver, **settings).fit(WIDE, y)
    dense = LogisticRegressionCV(solver=solver, **settings).fit(WIDE.toarray(), y)
    assert_allclose(model.coef_, dense.coef_, rtol=0, atol=1e-5 * np.abs(dense.coef_).max())
    assert_scores(model, dense)
    assert_array_equal(model.C_, dense.C_)


@pytest.mark.usefixtures("few_of_classes", "few")
@pytest.mark.parametrize("y", [WIDE_LABELS, KINDS], ids=["two classes", "three"])
def test_cross_validation_of_many_features(y: Any) -> None:
    settings: dict[str, Any] = {"Cs": [0.1, 3.0], "cv": 3, "tol": 1e-12, "max_iter": 1000, "verbose": 0}
    model = LogisticRegressionCV(**settings).fit(WIDE, y)
    other = LogisticRegressionCV(solver="newton", **settings).fit(WIDE, y)
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-5 * np.abs(other.coef_).max())
    assert_scores(model, other)


SMOOTH_SVMS: dict[str, tuple[Any, Any, Any]] = {
    "classes": (LinearSVC, svm.LinearSVC, (WIDE_LABELS, {})),
    "each class against the rest": (LinearSVC, svm.LinearSVC, (KINDS, {})),
    "reals": (
        LinearSVR,
        svm.LinearSVR,
        (WIDE_MARGIN, {"loss": "squared_epsilon_insensitive", "epsilon": 0.1}),
    ),
}


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", SMOOTH_SVMS)
def test_support_vector_machines_of_many_features(name: str, backend: str) -> None:
    ours, theirs, (y, settings) = SMOOTH_SVMS[name]
    other = quiet(
        theirs(dual=False, tol=1e-11, max_iter=100_000, **settings), scipy.sparse.csr_matrix(WIDE), y
    )
    for data in ((WIDE, y), (in_blocks(WIDE, 3), chunked(y, 3))):
        model = ours(tol=1e-10, max_iter=2000, verbose=0, **settings).fit(*data)
        assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-4 * np.abs(other.coef_).max())
        assert_allclose(model.intercept_, other.intercept_, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("few")
def test_the_same_bits_on_threads_and_on_a_cluster(client: Any) -> None:
    lazy, y = in_blocks(WIDE, 7), chunked(WIDE_LABELS, 7)
    fits = [LogisticRegression(verbose=0, scheduler=where).fit(lazy, y) for where in ("threads", client)]
    assert fits[0].coef_.tobytes() == fits[1].coef_.tobytes()
    assert fits[0].gap_ == fits[1].gap_


@pytest.mark.usefixtures("few")
def test_without_an_intercept_the_gap_is_proven() -> None:
    model = LogisticRegression(fit_intercept=False, max_iter=1000, verbose=0).fit(WIDE, WIDE_LABELS)
    tight = LogisticRegression(fit_intercept=False, max_iter=1000, **TIGHT).fit(WIDE, WIDE_LABELS)
    assert model.gap_kind_ == "strong-convexity"
    assert 0.0 <= objective(model) / objective(tight) - 1.0 <= model.gap_ < 1e-6


def objective(model: Any) -> float:
    z, w = WIDE @ model.coef_[0], model.coef_[0]
    return float(np.sum(np.logaddexp(0.0, z) - WIDE_LABELS * z) + 0.5 * w @ w)


@pytest.mark.usefixtures("few")
def test_a_fit_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    settings: dict[str, Any] = {"verbose": 0, "tol": 1e-12, "checkpoint": str(tmp_path)}
    with pytest.warns(UserWarning, match="did not reach tol"):
        short = LogisticRegression(max_iter=9, **settings).fit(WIDE, WIDE_LABELS)
    model = LogisticRegression(max_iter=1000, **settings).fit(WIDE, WIDE_LABELS)
    assert model.n_passes_ > short.n_passes_
    assert model.gap_ <= 1e-12
    assert_same(model, quiet(WIDE_FITS["logistic"][1], WIDE, WIDE_LABELS))


@pytest.mark.usefixtures("few")
def test_separated_classes_without_a_penalty_are_noticed() -> None:
    with pytest.warns(UserWarning, match="no finite optimum"):
        LogisticRegression(C=np.inf, max_iter=1000, verbose=0).fit(WIDE, WIDE_LABELS)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.usefixtures("few")
def test_what_cannot_be_done_with_sparse_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="Sparse data was passed for y"):
        Ridge(verbose=0).fit(X, scipy.sparse.csr_array(REALS[:, None]))
    for model in (
        Lasso(verbose=0),
        LogisticRegression(l1_ratio=0.5, verbose=0),
        Ridge(positive=True, verbose=0),
    ):
        with pytest.raises(UnsupportedCombination, match="150 features, and the penalty is.*up to 100"):
            model.fit(WIDE, WIDE_LABELS)
    with pytest.raises(UnsupportedCombination, match="150 features, and the loss 'hinge' has kinks"):
        LinearSVC(loss="hinge", verbose=0).fit(WIDE, WIDE_LABELS)
    monkeypatch.setattr(least_squares, "MOST_FEATURES", 100)
    for model in (RidgeCV(cv=3), RidgeCV(), LassoCV()):
        with pytest.raises(UnsupportedCombination, match="X has 150 features. A search.* up to 100 features"):
            model.fit(WIDE, WIDE_MARGIN)
    with pytest.raises(InvalidData, match=r"0 sample\(s\)"):
        Ridge(verbose=0).fit(X[:0], REALS[:0])
    with pytest.raises(ValueError, match="X has 39 features, but Ridge is expecting 40"):
        Ridge(verbose=0).fit(X, REALS).predict(X[:, :39])


# -------------------------------------------------------------------------------------- memory


@pytest.mark.usefixtures("few")
def test_sparse_blocks_are_weighed_by_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dense, the rows would be 480 kB: with a limit of 400 kB they stay in memory, with 40 kB they do not."""
    lazy, y = in_blocks(WIDE, 17), chunked(WIDE_LABELS, 17)
    loads = []
    counted = lazy.map_blocks(lambda block: loads.append(1) or block, meta=lazy._meta, dtype=lazy.dtype)
    reads = {}
    for limit in (400_000, 40_000):
        loads.clear()
        monkeypatch.setattr(memory, "MEMORY_LIMIT", limit)
        model = LogisticRegression(verbose=0, scheduler="threads").fit(counted, y)
        reads[limit] = len(loads)
        assert model.coef_.tobytes() == LogisticRegression(verbose=0).fit(lazy, y).coef_.tobytes()
        monkeypatch.undo()
        monkeypatch.setattr(choose, "SPARSE_HESSIAN", 100)
    assert reads[400_000] == 17 + 1  # the largest block is weighed first
    assert reads[40_000] > 17 * 5


def test_dask_weighs_sparse_arrays() -> None:
    from dask.sizeof import sizeof

    assert sizeof(X) == memory.block_bytes(X) == memory.block_bytes(scipy.sparse.coo_matrix(X))
    assert memory.block_bytes(X) < X.shape[0] * P * 8
