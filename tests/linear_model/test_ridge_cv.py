"""RidgeCV: scikit-learn's scores and choices, by folds in one pass and by leaving out rows in two."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk
from sklearn import model_selection as theirs

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import Ridge, RidgeCV
from tests.linear_model.problems import chunked, data

DATA = data()
X = DATA.X / np.abs(DATA.X).max(axis=0)
WEIGHT = DATA.weight + 0.01  # scikit-learn divides by the root of a weight
TABLE = DATA.table + 30.0 * np.random.default_rng(7).standard_normal(DATA.table.shape)  # not perfect
QUIET: dict[str, Any] = {"verbose": 0}
ALPHAS = [0.01, 100.0, 1.0, 0.1]
FOLDS: list[dict[str, Any]] = [
    {"cv": 5},
    {"cv": 3, "scoring": "neg_mean_squared_error", "fit_intercept": False},
    {"cv": theirs.TimeSeriesSplit(4), "scoring": "neg_root_mean_squared_error"},
    {"cv": 4, "alphas": [0.0, 1.0]},
]
ROWS: list[dict[str, Any]] = [
    {},
    {"fit_intercept": False},
    {"scoring": "r2"},
    {"scoring": "neg_mean_squared_error"},
    {"store_cv_results": True},
    {"alphas": 3.0},
]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data go the way of large ones: by moments."""
    monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 0)


@pytest.fixture(params=["factors", "moments"])
def way(request: Any) -> str:
    """Both ways, of which the size of the data decides otherwise."""
    if request.param == "moments":
        request.getfixturevalue("large")
    return str(request.param)


def expected(model: RidgeCV, X: Any, y: Any, weight: Any = None) -> Any:
    shared = {k: v for k, v in model.get_params().items() if k not in ("scheduler", "verbose")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sk.RidgeCV(**shared).fit(X, y, weight)


def assert_same(model: RidgeCV, other: Any, digits: float = 1e-9) -> None:
    assert_array_equal(model.alpha_, other.alpha_)
    assert np.shape(model.best_score_) == np.shape(other.best_score_)
    assert_allclose(model.best_score_, other.best_score_, rtol=digits)
    assert model.coef_.shape == other.coef_.shape
    assert_allclose(model.coef_, other.coef_, rtol=digits, atol=1e-10)
    assert np.shape(model.intercept_) == np.shape(other.intercept_)
    assert_allclose(model.intercept_, other.intercept_, rtol=digits)
    assert model.n_passes_ == (2 if model.cv is None else 1)
    assert model.gap_ < 1e-9
    assert model.gap_kind_ == "closed-form"
    if model.store_cv_results:
        assert model.cv_results_.shape == other.cv_results_.shape
        assert_allclose(model.cv_results_, other.cv_results_, rtol=1e-8, atol=1e-10)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("targets", ["one", "a column", "three"])
@pytest.mark.parametrize("parameters", FOLDS + ROWS, ids=str)
def test_scikit_learns_choice(parameters: dict[str, Any], targets: str, weighted: bool, way: str) -> None:
    y = {"one": DATA.reals, "a column": DATA.reals[:, None], "three": TABLE}[targets]
    weight = WEIGHT if weighted else None
    model = RidgeCV(**{"alphas": ALPHAS, **parameters}, **QUIET).fit(X, y, weight)
    assert_same(model, expected(model, X, y, weight))


@pytest.mark.thinned(5)
@pytest.mark.parametrize("parameters", [FOLDS[0], ROWS[0], ROWS[4]], ids=str)
def test_chunks_on_every_backend(parameters: dict[str, Any], way: str, backend: str) -> None:
    model = RidgeCV(ALPHAS, **parameters, **QUIET)
    model.fit(*(chunked(part, 17) for part in (X, TABLE, WEIGHT)))
    assert_same(model, expected(model, X, TABLE, WEIGHT))
    assert (model.graph_ is None) == (backend == "threads")


def test_the_same_bits_on_a_cluster(client: Any, large: None) -> None:
    parts = [chunked(part, 17) for part in (X, DATA.reals, WEIGHT)]
    for cv in (None, 4):
        there = RidgeCV(ALPHAS, cv=cv, **QUIET).fit(*parts)
        here = RidgeCV(ALPHAS, cv=cv, scheduler="threads", **QUIET).fit(*parts)
        assert_array_equal(there.coef_, here.coef_)
        assert there.best_score_ == here.best_score_


@pytest.mark.parametrize("scoring", [None, "r2"])
def test_a_penalty_for_each_target(scoring: Any, way: str) -> None:
    rng = np.random.default_rng(0)
    Y = np.column_stack([DATA.reals, rng.standard_normal(len(X)), X[:, 0] + rng.standard_normal(len(X))])
    model = RidgeCV([0.1, 10.0, 1000.0], alpha_per_target=True, scoring=scoring, **QUIET)
    model.fit(chunked(X, 5), chunked(Y, 5))
    other = expected(model, X, Y)
    assert len(set(other.alpha_)) > 1
    assert_same(model, other)


def test_groups_stay_together(way: str) -> None:
    groups = np.random.default_rng(5).integers(0, 23, len(X))
    model = RidgeCV(ALPHAS, cv=theirs.GroupKFold(4), **QUIET).fit(X, DATA.reals, groups=groups)
    other = sk.RidgeCV(ALPHAS, cv=list(theirs.GroupKFold(4).split(X, DATA.reals, groups)))
    assert_same(model, other.fit(X, DATA.reals))


def test_the_model_is_the_ridge_of_all_rows(way: str) -> None:
    model = RidgeCV(ALPHAS, cv=5, **QUIET).fit(X, DATA.reals)
    assert_allclose(model.coef_, Ridge(alpha=model.alpha_, **QUIET).fit(X, DATA.reals).coef_, rtol=1e-11)


def test_raw_units(way: str) -> None:
    """Features from 1e-3 to 1e3: no basis is good for all penalties."""
    for cv in (None, 5):
        model = RidgeCV([1e-3, 1.0], cv=cv, **QUIET).fit(chunked(DATA.X, 5), chunked(DATA.reals, 5))
        other = sk.RidgeCV([1e-3, 1.0], cv=cv, gcv_mode="svd" if cv is None else None)
        assert_same(model, other.fit(DATA.X, DATA.reals), 1e-7)


def test_deficient_columns(large: None) -> None:
    """Doubled up to 1e-9, and constant: moments do not do, and one more pass is made."""
    noise = 1e-9 * np.random.default_rng(1).standard_normal(len(X))
    wide = np.column_stack([X, X[:, 0] + noise, np.full(len(X), 3.0)])
    for cv, passes in ((5, 2), (None, 3)):
        model = RidgeCV([1e-10, 1e-11], cv=cv, **QUIET).fit(wide, DATA.reals)
        assert model.n_passes_ == passes
        other = RidgeCV([1e-10], cv=cv, **QUIET).fit(X, DATA.reals)
        assert model.best_score_ == pytest.approx(other.best_score_, rel=1e-7)
        assert_allclose(model.predict(wide), other.predict(X), rtol=1e-6)
        assert model.coef_[6] == pytest.approx(0.0, abs=1e-9)


def test_a_perfect_fit(way: str) -> None:
    y = X @ [3.0, -2.0, 1.0, 0.5, 4.0] + 2.0
    model = RidgeCV([1e-9], cv=5, **QUIET).fit(X, y)
    assert model.best_score_ == pytest.approx(1.0, abs=1e-12)
    assert model.n_passes_ == (1 if way == "factors" else 2)


def test_constant_targets(way: str) -> None:
    y = np.repeat([1.0, 2.0], 300)  # constant in each fold
    model = RidgeCV([1.0], cv=2, **QUIET).fit(X, y)
    assert model.best_score_ == sk.RidgeCV([1.0], cv=2).fit(X, y).best_score_ == 0.0


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"alphas": [1.0, -1.0]}, UnsupportedParameter, "finite numbers >= 0"),
        ({"alphas": [0.0, 1.0]}, UnsupportedParameter, "expected numbers > 0"),
        ({"alphas": "x"}, UnsupportedParameter, "finite numbers >= 0"),
        ({"scoring": "max_error"}, UnsupportedParameter, "expected None or one of 'r2'"),
        ({"gcv_mode": "svd"}, UnsupportedParameter, "expected None or 'auto'"),
        ({"fit_intercept": "no"}, UnsupportedParameter, "True or False"),
        ({"cv": 5, "store_cv_results": True}, UnsupportedCombination, "incompatible"),
        ({"cv": 5, "alpha_per_target": True}, UnsupportedCombination, "incompatible"),
        ({"scoring": "r2", "store_cv_results": True}, UnsupportedCombination, "keeps squared errors"),
        ({"cv": 600}, InvalidData, "Split 0 tests one row"),
        ({"cv": "5"}, UnsupportedParameter, "expected a number of folds"),
    ],
)
def test_refusals(parameters: dict[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        RidgeCV(**parameters, **QUIET).fit(X, DATA.reals)


def test_rows_that_cannot_be_left_out(way: str) -> None:
    with pytest.raises(InvalidData, match="1 sample"):
        RidgeCV(**QUIET).fit(X[:1], DATA.reals[:1])
    alone = np.zeros((50, 2))
    alone[0, 0] = 1e6  # nobody else knows anything of this column
    alone[:, 1] = np.arange(50)
    with pytest.raises(InvalidData, match="alpha=1e-06 a row has leverage 1.*larger alphas"):
        RidgeCV([1e-6], **QUIET).fit(alone, np.arange(50.0))


def test_missing_values_are_found_in_their_chunk(way: str, backend: str) -> None:
    bad = X.copy()
    bad[450, 2] = np.nan
    for cv in (None, 5):
        with pytest.raises(NonFiniteData, match="X contains NaN: 1 value.*in chunk .*column 2"):
            RidgeCV(cv=cv, **QUIET).fit(chunked(bad, 3), chunked(DATA.reals, 3))
