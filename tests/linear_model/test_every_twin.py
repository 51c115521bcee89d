"""Every other estimator on every container: rows that are not in memory make no difference."""

from __future__ import annotations

import pickle
from typing import Any

import dask.dataframe as dd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from daskml_dist import linear_model
from daskml_dist.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LassoCV,
    LogisticRegressionCV,
    MinimaxClassifier,
    MinimaxRegressor,
    QuantileRegressor,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from tests.linear_model import test_chunked_twin
from tests.linear_model.containers import MAKERS, NAMES, Maker, array
from tests.linear_model.problems import difference

N = 90
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3)) + 1.0
Y = np.round(2.0 * X[:, 0] + RNG.standard_normal(N)).clip(-1, 3)
WEIGHT = RNG.random(N) + 0.1
MODELS = [
    LassoCV(alphas=10, cv=3, verbose=0),
    ElasticNetCV(alphas=10, l1_ratio=[0.3, 0.9], verbose=0),
    RidgeCV(verbose=0),
    RidgeCV(cv=4, verbose=0),
    RidgeClassifier(verbose=0),
    RidgeClassifierCV(cv=3, verbose=0),
    Lasso(alpha=0.1, verbose=0),
    ElasticNet(alpha=0.1, verbose=0),
    GammaRegressor(tol=1e-12, verbose=0),
    TweedieRegressor(power=1.5, tol=1e-12, verbose=0),
    GeneralizedLinearRegressor(tol=1e-12, verbose=0),
    HuberRegressor(tol=1e-12, verbose=0),
    LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, tol=1e-12, verbose=0),
    QuantileRegressor(tol=1e-12, alpha=0.01, verbose=0),
    MinimaxClassifier(risk="mean", tol=1e-12, verbose=0),  # whatever the groups, here the partitions
    MinimaxRegressor(risk="mean", tol=1e-12, verbose=0),
    SGDClassifier("squared_hinge", alpha=0.01, verbose=0),  # small data are solved as a whole
    SGDRegressor(verbose=0),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=repr)


def target(model: Any) -> np.ndarray:
    """One that the model is for; without ties for quantiles, whose minimum is then one point."""
    if isinstance(model, GammaRegressor | TweedieRegressor):
        return np.exp(Y / 3)
    return Y + X[:, 1] if isinstance(model, QuantileRegressor | HuberRegressor) else Y


def test_every_estimator_has_a_twin() -> None:
    here = {type(model).__name__ for model in MODELS}
    there = {estimator.__name__ for estimator in test_chunked_twin.ESTIMATORS}
    assert here | there == set(linear_model.__all__)


@pytest.mark.thinned(3)
@every_model
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_every_container(model: Any, maker: Maker) -> None:
    y = target(model)
    expected = clone(model).fit(X, y, WEIGHT)
    given = maker.features(X)
    found = clone(model).fit(given, maker.column(y), maker.column(WEIGHT))
    assert difference(found, expected) < 1e-9
    assert (vars(found).get("feature_names_in_") is not None) == maker.named
    if maker.named:
        assert found.feature_names_in_.tolist() == NAMES
    predicted = found.predict(given)
    assert isinstance(predicted, dd.Series if isinstance(given, dd.DataFrame) else type(given))
    assert_allclose(np.asarray(predicted.compute()), expected.predict(X), rtol=1e-9)
    assert found.score(given, maker.column(y)) == pytest.approx(expected.score(X, y), abs=1e-9)


@pytest.mark.thinned(5)
@every_model
def test_fitting_twice_gives_the_same_bits(model: Any, backend: str) -> None:
    parts = [array(part) for part in (X, target(model), WEIGHT)]
    first, second = (clone(model).fit(*parts) for _ in range(2))
    assert_array_equal(first.coef_, second.coef_)
    assert_array_equal(first.intercept_, second.intercept_)
    attributes = set(vars(first)) - set(first.get_params())
    assert all(name.endswith("_") or name.startswith("_") for name in attributes)


@pytest.mark.thinned(3)
@every_model
def test_pickles_and_float32(model: Any, client: Any) -> None:
    small = clone(model).fit(array(X.astype(np.float32)), array(target(model)))
    assert small.coef_.dtype == np.float32
    assert difference(small, clone(model).fit(X.astype(np.float32).astype(float), target(model))) < 1e-4
    copy = pickle.loads(pickle.dumps(small))
    assert small.graph_ is not None and copy.graph_ is None
    assert_array_equal(copy.predict(X), small.predict(X))
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 3 features"):
        small.predict(array(X[:, :2]))
