"""Sparse X with many features: the same optimum without a Hessian, what is refused, and memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk
from sklearn import svm

from daskml_dist.cluster import memory
from daskml_dist.errors import InvalidData, UnsupportedCombination
from daskml_dist.linear_model import (
    LassoCV,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeCV,
)
from daskml_dist.solvers import choose, least_squares
from tests.linear_model.problems import chunked
from tests.linear_model.sparse_problems import NEWTON, TIGHT, assert_same, in_blocks, made, quiet

SLOW = pytest.mark.slow
LATER = ["newton", "lbfgs", "newton-cg"]

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


@pytest.mark.thinned(3)
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("pieces", [pytest.param(1, marks=pytest.mark.slow), 17])
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


@pytest.mark.thinned(9)
@pytest.mark.usefixtures("few_of_classes")
@pytest.mark.parametrize("pieces", [pytest.param(1, marks=pytest.mark.slow), 17])
@pytest.mark.parametrize("intercept", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_several_classes_of_many_features(pieces: int, intercept: bool, backend: str) -> None:
    data = (WIDE, KINDS) if pieces == 1 else (in_blocks(WIDE, pieces), chunked(KINDS, pieces))
    model = LogisticRegression(C=3.0, fit_intercept=intercept, max_iter=1000, **TIGHT).fit(*data)
    assert {row["question"] for row in model.history_} == {"Sweep", "HessianVector"}
    other = sk.LogisticRegression(C=3.0, fit_intercept=intercept, **NEWTON).fit(WIDE, KINDS)
    assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-6)
    assert_allclose(model.intercept_, np.ravel(other.intercept_), atol=1e-6)
    assert model.gap_ <= 1e-14 or model.gap_kind_ == "estimate"


@pytest.mark.parametrize("solver", ["auto", *(pytest.param(name, marks=SLOW) for name in LATER)])
def test_every_solver_for_several_classes(solver: str) -> None:
    model = LogisticRegression(solver=solver, tol=1e-12, max_iter=1000, verbose=0).fit(WIDE, KINDS)
    other = sk.LogisticRegression(**NEWTON).fit(WIDE, KINDS)
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=2e-5 * np.abs(other.coef_).max())


def assert_scores(model: Any, other: Any, rtol: float) -> None:
    assert model.scores_.keys() == other.scores_.keys()
    for label, scores in model.scores_.items():
        assert_allclose(scores, other.scores_[label], rtol=rtol)


@pytest.mark.thinned(9)
@pytest.mark.parametrize("solver", ["auto", *(pytest.param(name, marks=SLOW) for name in LATER[1:])])
@pytest.mark.parametrize("y", [WIDE_LABELS, KINDS], ids=["two classes", "three"])
def test_cross_validation_of_sparse_rows(solver: str, y: Any) -> None:
    settings: dict[str, Any] = {"Cs": [0.1, 3.0], "cv": 3, "tol": 1e-9, "max_iter": 1000, "verbose": 0}
    model = LogisticRegressionCV(solver=solver, **settings).fit(WIDE, y)
    dense = LogisticRegressionCV(solver=solver, **settings).fit(WIDE.toarray(), y)
    assert_allclose(model.coef_, dense.coef_, rtol=0, atol=1e-4 * np.abs(dense.coef_).max())
    assert_scores(model, dense, 1e-4)
    assert_array_equal(model.C_, dense.C_)


@pytest.mark.thinned(9)
@pytest.mark.usefixtures("few_of_classes", "few")
@pytest.mark.parametrize("y", [WIDE_LABELS, KINDS], ids=["two classes", "three"])
def test_cross_validation_of_many_features(y: Any) -> None:
    settings: dict[str, Any] = {"Cs": [0.1, 3.0], "cv": 3, "tol": 1e-9, "max_iter": 1000, "verbose": 0}
    model = LogisticRegressionCV(**settings).fit(WIDE, y)
    other = LogisticRegressionCV(solver="newton", **settings).fit(WIDE, y)
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-4 * np.abs(other.coef_).max())
    assert_scores(model, other, 1e-4)


SMOOTH_SVMS: dict[str, tuple[Any, Any, Any]] = {
    "classes": (LinearSVC, svm.LinearSVC, (WIDE_LABELS, {})),
    "each class against the rest": (LinearSVC, svm.LinearSVC, (KINDS, {})),
    "reals": (
        LinearSVR,
        svm.LinearSVR,
        (WIDE_MARGIN, {"loss": "squared_epsilon_insensitive", "epsilon": 0.1}),
    ),
}


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", SMOOTH_SVMS)
def test_support_vector_machines_of_many_features(name: str, backend: str) -> None:
    ours, theirs, (y, settings) = SMOOTH_SVMS[name]
    other = quiet(
        theirs(dual=False, tol=1e-11, max_iter=100_000, **settings), scipy.sparse.csr_matrix(WIDE), y
    )
    model = ours(tol=1e-8, max_iter=2000, verbose=0, **settings).fit(in_blocks(WIDE, 3), chunked(y, 3))
    assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-3 * np.abs(other.coef_).max())
    assert_allclose(model.intercept_, other.intercept_, rtol=0, atol=1e-3)


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
        Ridge(verbose=0).fit(WIDE, scipy.sparse.csr_array(WIDE_MARGIN[:, None]))
    with pytest.raises(UnsupportedCombination, match="150 features, y has 3 classes.*up to 100 coefficients"):
        LogisticRegression(l1_ratio=0.5, verbose=0).fit(WIDE, KINDS)
    with pytest.raises(UnsupportedCombination, match="150 features, and the loss 'hinge' has kinks"):
        LinearSVC(loss="hinge", verbose=0).fit(WIDE, WIDE_LABELS)
    monkeypatch.setattr(least_squares, "MOST_FEATURES", 100)
    for model in (RidgeCV(cv=3), RidgeCV(), LassoCV()):
        with pytest.raises(UnsupportedCombination, match="X has 150 features. A search.* up to 100 features"):
            model.fit(WIDE, WIDE_MARGIN)
    with pytest.raises(InvalidData, match=r"0 sample\(s\)"):
        Ridge(verbose=0).fit(WIDE[:0], WIDE_MARGIN[:0])
    with pytest.raises(ValueError, match="X has 149 features, but Ridge is expecting 150"):
        Ridge(verbose=0).fit(WIDE, WIDE_MARGIN).predict(WIDE[:, :149])


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

    assert sizeof(WIDE) == memory.block_bytes(WIDE) == memory.block_bytes(scipy.sparse.coo_matrix(WIDE))
    assert memory.block_bytes(WIDE) < WIDE.shape[0] * WIDE.shape[1] * 8
