"""Least squares with several targets and more features than a Hessian is formed for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk

from daskml_dist.linear_model import LinearRegression, Ridge, RidgeClassifier
from daskml_dist.solvers import choose
from tests.linear_model.problems import chunked
from tests.linear_model.sparse_problems import TIGHT, assert_same, in_blocks, made

RNG = np.random.default_rng(5)
N, P = 450, 2300  # dense, as the blocks of a graph are cut from them, less than dask warns of
WIDE = made(N, P, density=0.02, seed=1)
TARGETS = WIDE @ RNG.standard_normal((P, 4)) + RNG.standard_normal((N, 4)) + [0.0, 1.0, 50.0, -3.0]
WEIGHT = 2.0 * RNG.random(N) * (RNG.random(N) > 0.1)
ALPHAS = [10.0, 20.0, 50.0, 100.0]

NARROW = made(400, 150, density=0.08, seed=3)
NARROW_TARGETS = NARROW @ RNG.standard_normal((150, 3)) + RNG.standard_normal((400, 3))

SETTINGS: dict[str, Any] = {**TIGHT, "max_iter": 1000}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 features are taken for many, sparse or dense."""
    monkeypatch.setattr(choose, "MOST_SPARSE", 100)
    monkeypatch.setattr(choose, "MOST_FEATURES", 100)


def words(n: int, classes: int) -> tuple[Any, np.ndarray]:
    """Rows of frequencies of words, whose classes prefer some words."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, classes, n)
    rates = rng.gamma(0.05, 0.5, (classes, 2500))
    counts = rng.poisson(rates[y] + 0.005)
    return scipy.sparse.csr_array(np.log1p(counts)), y


def exact(model: Any, X: Any, y: Any, weight: Any = None) -> Any:
    """scikit-learn's, by a Cholesky factor of the dense rows."""
    return model.set_params(solver="cholesky").fit(X.toarray(), y, weight)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(("pieces", "targets"), [(1, 4), (3, 1), (3, 4), (17, 4)])
def test_scikit_learns_ridge(pieces: int, targets: int, backend: str) -> None:
    y, alpha = TARGETS[:, :targets], ALPHAS[:targets]
    data = [WIDE, y, WEIGHT]
    if pieces > 1:
        data = [in_blocks(WIDE, pieces), *(chunked(part, pieces) for part in (y, WEIGHT))]
    model = Ridge(alpha, **SETTINGS).fit(*data)
    assert_same(model, exact(sk.Ridge(alpha), WIDE, y, WEIGHT))
    assert model.gap_ < 1e-13
    assert model.n_passes_ == model.n_iter_ == len(model.history_) == model.history_[-1]["passes"]
    assert model.predict(data[0]).shape == ((N, targets) if targets > 1 else (N,))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("rows", ["sparse", "dense"])
@pytest.mark.parametrize("intercept", [True, False])
def test_one_alpha_for_all_targets(rows: str, intercept: bool) -> None:
    X = NARROW if rows == "sparse" else NARROW.toarray() + 2.0
    model = Ridge(2.0, fit_intercept=intercept, **SETTINGS).fit(X, NARROW_TARGETS)
    dense = X.toarray() if rows == "sparse" else X
    other = sk.Ridge(2.0, fit_intercept=intercept, solver="cholesky").fit(dense, NARROW_TARGETS)
    assert_same(model, other)
    assert model.gap_ < 1e-12
    assert {row["question"] for row in model.history_} == {"Together"}


@pytest.mark.usefixtures("few")
def test_the_worst_gap_counts() -> None:
    """Each target converges as it does by itself, and what is told of all is the worst."""
    alphas = [0.5, 500.0, 5.0]
    model = Ridge(alphas, max_iter=1000, verbose=0).fit(NARROW, NARROW_TARGETS)
    alone = [
        Ridge(alpha, max_iter=1000, verbose=0).fit(NARROW, y)
        for alpha, y in zip(alphas, NARROW_TARGETS.T, strict=True)
    ]
    assert_allclose(model.coef_, [one.coef_ for one in alone], rtol=1e-7, atol=1e-9)
    assert model.gap_ == pytest.approx(max(one.gap_ for one in alone), rel=1e-3)
    assert model.n_passes_ == max(one.n_passes_ for one in alone)


@pytest.mark.usefixtures("few")
def test_too_few_passes_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="did not reach tol"):
        model = Ridge(0.01, max_iter=5, verbose=0).fit(NARROW, NARROW_TARGETS)
    assert model.n_passes_ <= 5
    assert model.gap_ > 1e-6


@pytest.mark.usefixtures("few")
def test_linear_regression() -> None:
    model = LinearRegression(max_iter=2000, tol=1e-12, verbose=0).fit(NARROW, NARROW_TARGETS)
    other = sk.LinearRegression().fit(NARROW.toarray(), NARROW_TARGETS)
    assert_allclose(model.predict(NARROW), other.predict(NARROW.toarray()), atol=1e-4)


@pytest.mark.usefixtures("few")
def test_the_same_bits_on_threads_and_on_a_cluster(client: Any) -> None:
    lazy, y = in_blocks(NARROW, 7), chunked(NARROW_TARGETS, 7)
    fits = [Ridge(30.0, verbose=0, scheduler=where).fit(lazy, y) for where in ("threads", client)]
    assert fits[0].coef_.tobytes() == fits[1].coef_.tobytes()
    assert fits[0].gap_ == fits[1].gap_


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("pieces", "class_weight"), [(1, None), (3, "balanced")])
def test_scikit_learns_classifier(pieces: int, class_weight: Any, backend: str) -> None:
    X, y = words(400, classes=5)
    data = (X, y) if pieces == 1 else (in_blocks(X, pieces), chunked(y, pieces))
    settings: dict[str, Any] = {"alpha": 100.0, "class_weight": class_weight}
    model = RidgeClassifier(**settings, **SETTINGS).fit(*data)
    other = exact(sk.RidgeClassifier(**settings), X, y)
    assert_allclose(model.decision_function(X), other.decision_function(X.toarray()), rtol=0, atol=1e-7)
    assert_array_equal(model.predict(X), other.predict(X.toarray()))
    assert model.coef_.shape == (5, 2500)
