"""scikit-learn's own checks of estimators, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    TweedieRegressor,
)

ESTIMATORS = [
    LinearRegression(),
    Ridge(),
    Lasso(),
    ElasticNet(),
    LassoCV(cv=3),
    ElasticNetCV(cv=3, alphas=20),
    RidgeCV(),
    RidgeCV(cv=3),
    RidgeClassifier(),
    RidgeClassifierCV(),
    RidgeClassifierCV(cv=3),
    LogisticRegression(),
    LogisticRegressionCV(Cs=[0.1, 1.0], cv=2),
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(power=1.5),
    GeneralizedLinearRegressor(),
    LinearSVC(),
    LinearSVC(loss="hinge"),
    LinearSVR(epsilon=0.1),
    LinearSVR(loss="squared_epsilon_insensitive"),
    QuantileRegressor(alpha=0.1),
    HuberRegressor(),
    MinimaxClassifier(),
    MinimaxRegressor(),
]


def test_every_estimator_is_checked() -> None:
    assert {type(model).__name__ for model in ESTIMATORS} == set(linear_model.__all__)


@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
