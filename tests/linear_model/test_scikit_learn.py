"""scikit-learn's own checks of estimators, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from daskml_dist import linear_model
from daskml_dist.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    LogisticRegressionCV,
    MinimaxClassifier,
    MinimaxRegressor,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)

ESTIMATORS = [
    Ridge(),
    Lasso(),
    LassoCV(cv=3),
    RidgeCV(),
    RidgeClassifier(),
    LogisticRegression(),
    LogisticRegressionCV(Cs=[0.1, 1.0], cv=2),
    PoissonRegressor(),
    GeneralizedLinearRegressor(),
    LinearSVC(),
    QuantileRegressor(alpha=0.1),
    HuberRegressor(),
    MinimaxClassifier(),
]


#: those that share their code with one above, take long, or are the same names on other roads; in make slow
OTHERS = [
    SGDClassifier(),
    LinearRegression(),
    ElasticNet(),
    ElasticNetCV(cv=3, alphas=20),
    RidgeClassifierCV(),
    GammaRegressor(),
    TweedieRegressor(power=1.5),
    LinearSVR(epsilon=0.1),
    MinimaxRegressor(),
    SGDRegressor(),
    RidgeCV(cv=3),
    RidgeClassifierCV(cv=3),
    LinearSVC(loss="hinge"),
    LinearSVR(loss="squared_epsilon_insensitive"),
]


def test_every_estimator_is_checked() -> None:
    assert {type(model).__name__ for model in [*ESTIMATORS, *OTHERS]} == set(linear_model.__all__)


@pytest.mark.thinned(2)
@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(OTHERS)
def test_every_check_on_other_roads(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
