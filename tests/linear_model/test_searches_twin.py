"""Searches and the ridge classifier on every container: rows that are not in memory make no difference."""

from __future__ import annotations

import pickle
from typing import Any

import dask.dataframe as dd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from daskml_dist.linear_model import ElasticNetCV, LassoCV, RidgeClassifier, RidgeClassifierCV, RidgeCV
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
]
every_model = pytest.mark.parametrize("model", MODELS, ids=repr)


@every_model
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_every_container(model: Any, maker: Maker, backend: str) -> None:
    expected = clone(model).fit(X, Y, WEIGHT)
    given = maker.features(X)
    found = clone(model).fit(given, maker.column(Y), maker.column(WEIGHT))
    assert difference(found, expected) < 1e-9
    assert (vars(found).get("feature_names_in_") is not None) == maker.named
    if maker.named:
        assert found.feature_names_in_.tolist() == NAMES
    predicted = found.predict(given)
    assert isinstance(predicted, dd.Series if isinstance(given, dd.DataFrame) else type(given))
    assert_allclose(np.asarray(predicted.compute()), expected.predict(X), rtol=1e-9)
    assert found.score(given, maker.column(Y)) == pytest.approx(expected.score(X, Y), abs=1e-9)


@every_model
def test_fitting_twice_gives_the_same_bits(model: Any, backend: str) -> None:
    parts = [array(part) for part in (X, Y, WEIGHT)]
    first, second = (clone(model).fit(*parts) for _ in range(2))
    assert_array_equal(first.coef_, second.coef_)
    assert_array_equal(first.intercept_, second.intercept_)
    attributes = set(vars(first)) - set(first.get_params())
    assert all(name.endswith("_") or name.startswith("_") for name in attributes)


@every_model
def test_pickles_and_float32(model: Any, client: Any) -> None:
    small = clone(model).fit(array(X.astype(np.float32)), array(Y))
    assert small.coef_.dtype == np.float32
    assert difference(small, clone(model).fit(X.astype(np.float32).astype(float), Y)) < 1e-4
    copy = pickle.loads(pickle.dumps(small))
    assert small.graph_ is not None and copy.graph_ is None
    assert_array_equal(copy.predict(X), small.predict(X))
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 3 features"):
        small.predict(array(X[:, :2]))
