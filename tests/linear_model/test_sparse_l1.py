"""L1 penalties and bounds with many sparse features: scikit-learn's optimum, proven."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from scipy.optimize import lsq_linear
from sklearn import linear_model as sk
from sklearn import svm

from daskml_dist.linear_model import (
    ElasticNet,
    GeneralizedLinearRegressor,
    Lasso,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
)
from daskml_dist.solvers import choose
from tests.linear_model.problems import chunked
from tests.linear_model.sparse_problems import in_blocks, made, quiet

P = 150
WIDE = made(300, P, density=0.08, seed=3).toarray()
WIDE[:, 10] = 3.0  # constant
WIDE[:, 11] = 100.0 * WIDE[:, 12]  # on a raw scale
WIDE[:, 13] = 0.0
WIDE[17, 13] = 2.0  # rare
WIDE = scipy.sparse.csr_array(WIDE)
MARGIN = WIDE @ (np.random.default_rng(4).standard_normal(P) / np.maximum(abs(WIDE).max(axis=0).toarray(), 1))
LABELS = (MARGIN > np.median(MARGIN)).astype(int)
WEIGHT = np.random.default_rng(5).integers(0, 4, len(LABELS)) / 2.0
TIGHT: dict[str, Any] = {"tol": 1e-10, "verbose": 0}
SAGA: dict[str, Any] = {"solver": "saga", "tol": 1e-13, "max_iter": 300_000}
CYCLIC: dict[str, Any] = {"tol": 1e-15, "max_iter": 1_000_000}

#: ours, scikit-learn's, and the target
FITS: dict[str, tuple[Any, Any, Any]] = {
    "lasso": (Lasso(alpha=0.02, **TIGHT), sk.Lasso(alpha=0.02, **CYCLIC), MARGIN),
    "elastic net": (
        ElasticNet(alpha=0.05, l1_ratio=0.3, fit_intercept=False, **TIGHT),
        sk.ElasticNet(alpha=0.05, l1_ratio=0.3, fit_intercept=False, **CYCLIC),
        MARGIN,
    ),
    "positive": (
        Lasso(alpha=0.01, positive=True, **TIGHT),
        sk.Lasso(alpha=0.01, positive=True, **CYCLIC),
        MARGIN,
    ),
    "normal family": (
        GeneralizedLinearRegressor(alpha=0.05, l1_ratio=0.5, **TIGHT),
        sk.ElasticNet(alpha=0.05, l1_ratio=0.5, **CYCLIC),
        MARGIN,
    ),
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 features are taken for many."""
    monkeypatch.setattr(choose, "MOST_SPARSE", 100)


def assert_proven(model: Any, most: int = 30) -> None:
    assert {row["question"] for row in model.history_} == {"Sweep"}
    assert model.gap_ <= 1e-10
    assert model.gap_kind_ == "duality"
    assert model.n_passes_ <= most


def assert_same(model: Any, other: Any, tolerance: float = 1e-6) -> None:
    size = np.abs(other.coef_).max()
    assert_allclose(np.ravel(model.coef_), np.ravel(other.coef_), rtol=0, atol=tolerance * size)
    assert_allclose(model.intercept_, other.intercept_, rtol=0, atol=tolerance * max(size, 1.0))


@pytest.mark.thinned(5)
@pytest.mark.parametrize("pieces", [1, 3, 17])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", FITS)
def test_the_optimum_of_least_squares(name: str, weighted: bool, pieces: int) -> None:
    ours, theirs, y = FITS[name]
    weight = WEIGHT if weighted else None
    data = (WIDE, y) if pieces == 1 else (in_blocks(WIDE, pieces), chunked(y, pieces))
    ours.fit(*data, weight if weight is None or pieces == 1 else chunked(weight, pieces))
    assert_proven(ours)
    # scikit-learn centres sparse X by a mean that costs digits where a column is on a raw scale
    assert_same(ours, quiet(theirs, WIDE.toarray(), y, weight))
    assert 5 < np.count_nonzero(ours.coef_) < P - 5


def loss_of(model: Any, C: float, weight: Any = None) -> float:
    """scikit-learn's objective of L1."""
    z = WIDE @ np.ravel(model.coef_) + np.ravel(model.intercept_)
    losses = np.logaddexp(0.0, z) - LABELS * z
    return float(C * (losses.sum() if weight is None else weight @ losses) + np.abs(model.coef_).sum())


@cache
def liblinear(weighted: bool) -> Any:
    options: dict[str, Any] = {"l1_ratio": 1.0, "solver": "liblinear", "fit_intercept": False}
    theirs = sk.LogisticRegression(C=2.0, tol=1e-8, max_iter=20_000, **options)
    return quiet(theirs, WIDE, LABELS, WEIGHT if weighted else None)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("pieces", [1, 3, 17])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_the_optimum_of_logistic_regression(pieces: int, weighted: bool, backend: str) -> None:
    weight = WEIGHT if weighted else None
    data = [WIDE, LABELS] if pieces == 1 else [in_blocks(WIDE, pieces), chunked(LABELS, pieces)]
    seen = weight if weight is None or pieces == 1 else chunked(weight, pieces)
    model = LogisticRegression(C=2.0, l1_ratio=1.0, fit_intercept=False, **TIGHT).fit(*data, seen)
    assert_proven(model)
    theirs = loss_of(liblinear(weighted), 2.0, weight)
    assert_allclose(loss_of(model, 2.0, weight), theirs, rtol=1e-6)
    assert loss_of(model, 2.0, weight) <= theirs * (1 + 1e-10)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_an_intercept_is_free(share: float) -> None:
    X = WIDE / np.maximum(abs(WIDE).max(axis=0).toarray(), 1.0)  # saga does not end on raw scales
    X = scipy.sparse.csr_array(X)
    model = LogisticRegression(C=1.0, l1_ratio=share, **TIGHT).fit(X, LABELS)
    assert_proven(model)
    assert_same(model, quiet(sk.LogisticRegression(C=1.0, l1_ratio=share, **SAGA), X, LABELS), 1e-5)


def test_the_same_bits_on_threads_and_on_a_cluster(client: Any) -> None:
    X, y = in_blocks(WIDE, 7), chunked(LABELS, 7)
    fits = [
        LogisticRegression(C=2.0, l1_ratio=1.0, scheduler=where, **TIGHT).fit(X, y)
        for where in ("threads", client)
    ]
    assert fits[0].coef_.tobytes() == fits[1].coef_.tobytes()
    assert fits[0].gap_ == fits[1].gap_


def test_bounds_without_an_l1_penalty() -> None:
    model = Ridge(alpha=3.0, positive=True, fit_intercept=False, **TIGHT).fit(WIDE, MARGIN)
    rows = np.vstack([WIDE.toarray(), np.sqrt(3.0) * np.eye(P)])
    best = lsq_linear(rows, np.append(MARGIN, np.zeros(P)), (0.0, np.inf), method="bvls", tol=1e-15).x
    assert_proven(model)
    assert_allclose(model.coef_, best, atol=1e-7 * best.max())


def test_bounds_on_both_sides() -> None:
    settings: dict[str, Any] = {"alpha": 0.01, "lower_bounds": -0.1, "upper_bounds": np.full(P, 0.2)}
    model = GeneralizedLinearRegressor(family="poisson", **settings, **TIGHT).fit(WIDE, LABELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "MOST_SPARSE", 10_000)
        other = GeneralizedLinearRegressor(family="poisson", **settings, **TIGHT).fit(WIDE, LABELS)
    assert_same(model, other, 1e-5)
    assert (model.coef_ == -0.1).any() and (model.coef_ == 0.2).any()
    assert ((model.coef_ >= -0.1) & (model.coef_ <= 0.2)).all()


def test_several_targets() -> None:
    Y = np.column_stack([MARGIN, LABELS, -2.0 * MARGIN])
    model = Lasso(alpha=0.02, **TIGHT).fit(in_blocks(WIDE, 3), chunked(Y, 3))
    assert_same(model, quiet(sk.Lasso(alpha=0.02, **CYCLIC), WIDE.toarray(), Y))


def test_support_vectors() -> None:
    model = LinearSVC(penalty="l1", C=0.5, tol=1e-10, verbose=0).fit(WIDE, LABELS)
    theirs = svm.LinearSVC(penalty="l1", dual=False, C=0.5, tol=1e-9, max_iter=1_000_000)
    quiet(theirs, scipy.sparse.csr_matrix(WIDE), LABELS)

    def loss(fitted: Any) -> float:
        z = WIDE @ fitted.coef_[0] + fitted.intercept_[0]
        lost = np.maximum(1.0 - (2 * LABELS - 1) * z, 0.0)
        return float(0.5 * lost @ lost + np.abs(fitted.coef_).sum() + abs(fitted.intercept_[0]))

    assert model.gap_kind_ == "duality"
    assert_allclose(loss(model), loss(theirs), rtol=1e-6)


def test_a_search_over_penalties() -> None:
    settings: dict[str, Any] = {"Cs": [0.1, 1.0], "l1_ratios": (1.0,), "cv": 3, "tol": 1e-10, "verbose": 0}
    model = LogisticRegressionCV(**settings).fit(WIDE, LABELS)
    assert {row["question"] for row in model.history_} == {"Together"}
    whole = LogisticRegression(C=float(np.ravel(model.C_)[0]), l1_ratio=1.0, **TIGHT).fit(WIDE, LABELS)
    assert_same(model, whole, 1e-4)


def test_a_fit_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    settings: dict[str, Any] = {"C": 2.0, "l1_ratio": 1.0, "checkpoint": str(tmp_path), **TIGHT}
    with pytest.warns(UserWarning, match="did not reach tol"):
        LogisticRegression(max_iter=5, **settings).fit(WIDE, LABELS)
    model = LogisticRegression(**settings).fit(WIDE, LABELS)
    straight = LogisticRegression(C=2.0, l1_ratio=1.0, **TIGHT).fit(WIDE, LABELS)
    assert_proven(model)
    assert_same(model, straight, 1e-6)
    assert model.n_passes_ <= straight.n_passes_ + 3


def test_a_wrong_optimum_is_seen() -> None:
    ours, theirs, y = FITS["lasso"]
    ours.fit(WIDE, y)
    quiet(theirs, WIDE.toarray(), y)
    ours.coef_ = ours.coef_ * (1.0 + 1e-5)
    with pytest.raises(AssertionError):
        assert_same(ours, theirs)
