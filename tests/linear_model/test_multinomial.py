"""Logistic regression of several classes: scikit-learn's optimum, on every cut and backend."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.errors import InvalidData
from daskml_dist.linear_model import LogisticRegression
from tests.linear_model.problems import chunked

TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}
RNG = np.random.default_rng(3)
X = RNG.standard_normal((600, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 50.0, 1.0, 0.0]
MARGINS = (X - X.mean(axis=0)) / X.std(axis=0) @ RNG.standard_normal((4, 3)) + [0.0, 0.5, -1.0]
LABELS = np.array(["ant", "bee", "cat"])[(MARGINS + RNG.gumbel(size=MARGINS.shape)).argmax(axis=1)]
WEIGHT = RNG.integers(0, 4, len(X)).astype(float)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"C": 0.01},
    {"C": np.inf},
    {"class_weight": "balanced"},
    {"class_weight": {"bee": 5.0}},
    {"C": 0.1, "fit_intercept": False},
]


def theirs(options: dict[str, Any], weight: Any = None, y: Any = LABELS) -> Any:
    """By Newton's method on scaled features where that has the same optimum: lbfgs stops too early."""
    model = sk.LogisticRegression(tol=1e-12, max_iter=100_000, solver="newton-cg", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, weight)


def assert_same(model: Any, other: Any, rtol: float = 1e-6) -> None:
    assert model.classes_.tolist() == other.classes_.tolist()
    size = np.abs(other.coef_).max(axis=0)
    assert_allclose(model.coef_ / size, other.coef_ / size, rtol=rtol, atol=rtol)
    centred = other.intercept_ - other.intercept_.mean()
    assert_allclose(model.intercept_, centred, rtol=rtol, atol=rtol * max(1.0, np.abs(centred).max()))


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scikit_learns_optimum(options: dict[str, Any], weighted: bool) -> None:
    weight = WEIGHT if weighted else None
    model, other = LogisticRegression(**options, **TIGHT).fit(X, LABELS, weight), theirs(options, weight)
    assert_same(model, other)
    assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-7)
    assert_allclose(model.predict_log_proba(X), other.predict_log_proba(X), rtol=1e-5, atol=1e-7)
    assert (model.predict(X) == other.predict(X)).all()
    assert model.score(X, LABELS, weight) == pytest.approx(other.score(X, LABELS, weight), abs=1e-12)


@pytest.mark.parametrize("solver", ["newton", "progressive-newton", "lbfgs"])
def test_every_solver(solver: str) -> None:
    model = LogisticRegression(C=0.1, solver=solver, tol=1e-13, max_iter=1000, verbose=0).fit(X, LABELS)
    assert_same(model, theirs({"C": 0.1}), rtol=1e-5 if solver == "lbfgs" else 1e-6)


def test_chunks_on_every_backend(backend: str) -> None:
    given = [chunked(part, 17) for part in (X, LABELS, WEIGHT)]
    model = LogisticRegression(**TIGHT).fit(*given)
    assert_same(model, theirs({}, WEIGHT))
    chances = model.predict_proba(given[0])
    assert isinstance(chances, da.Array)
    assert_allclose(chances.compute().sum(axis=1), 1.0)
    assert model.score(*given) == pytest.approx(model.score(X, LABELS, WEIGHT), abs=1e-12)


def test_l1() -> None:
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    options: dict[str, Any] = {"C": 0.1, "l1_ratio": 1.0}
    model = LogisticRegression(**options, **TIGHT).fit(scaled, LABELS)
    other = sk.LogisticRegression(solver="saga", tol=1e-14, max_iter=100_000, **options).fit(scaled, LABELS)
    assert_allclose(model.coef_, other.coef_, atol=1e-6)
    assert ((model.coef_ == 0.0) == (other.coef_ == 0.0)).all()


def test_few_passes_with_many_rows() -> None:
    rng = np.random.default_rng(0)
    many = rng.standard_normal((30_000, 6)) * np.logspace(0, 3, 6)
    margins = many / np.logspace(0, 3, 6) @ rng.standard_normal((6, 4))
    y = (margins + rng.gumbel(size=margins.shape)).argmax(axis=1)
    model = LogisticRegression(verbose=0).fit(many, y)
    best = LogisticRegression(**TIGHT).fit(many, y)
    assert model.n_passes_ <= 4
    value, least = (objective(many, y, fitted) for fitted in (model, best))
    assert (value - least) / least < 1e-6


def objective(X: np.ndarray, y: np.ndarray, model: Any) -> float:
    z = (X @ model.coef_.T + model.intercept_).astype(np.longdouble)
    own = np.take_along_axis(z, y[:, None], axis=1)[:, 0]
    losses = np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1)) + z.max(axis=1) - own
    return float(losses.sum() + (model.coef_.astype(np.longdouble) ** 2).sum() / 2)


def test_a_class_that_is_in_one_chunk_only() -> None:
    order = np.argsort(LABELS, kind="stable")
    model = LogisticRegression(**TIGHT).fit(chunked(X[order], 17), chunked(LABELS[order], 17))
    assert_same(model, theirs({}))


def test_separable_classes_without_a_penalty_are_said_to_be() -> None:
    y = np.repeat([0, 1, 2], 100)
    apart = np.column_stack([y * 10.0 + np.linspace(0, 1, 300), np.linspace(-1, 1, 300)])
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(C=np.inf, verbose=0).fit(apart, y)
    assert np.isfinite(model.coef_).all()
    assert model.score(apart, y) == 1.0


def test_a_warm_start_needs_the_same_classes() -> None:
    model = LogisticRegression(warm_start=True, **TIGHT).fit(X, LABELS)
    passes = model.n_passes_
    assert model.fit(X, LABELS).n_passes_ <= passes
    with pytest.raises(InvalidData, match="3 margin"):
        model.fit(X, LABELS == "bee")


def test_a_class_without_weight_is_refused() -> None:
    with pytest.raises(InvalidData, match="class 'bee' have weight zero"):
        LogisticRegression(verbose=0).fit(X, LABELS, np.where(LABELS == "bee", 0.0, 1.0))


def test_more_labels_in_all_than_in_any_chunk_are_no_classes() -> None:
    """A target that is a number: each chunk has few of its values, and all chunks have many."""
    many = da.arange(1500, chunks=300)
    with pytest.raises(
        InvalidData, match=r"1500 different labels in all of its chunks.*you want a regressor"
    ):
        LogisticRegression(verbose=0).fit(da.ones((1500, 1), chunks=(300, 1)), many)
