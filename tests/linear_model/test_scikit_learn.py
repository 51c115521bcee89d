"""scikit-learn's own checks of estimators, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from daskml_dist.linear_model import (
    ElasticNet,
    GammaRegressor,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    TweedieRegressor,
)

ESTIMATORS = [
    LinearRegression(),
    Ridge(),
    Lasso(),
    ElasticNet(),
    LogisticRegression(),
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(power=1.5),
    GeneralizedLinearRegressor(),
    HuberRegressor(),
    LinearSVC(),
    LinearSVC(loss="hinge"),
    LinearSVR(epsilon=0.1),
    LinearSVR(loss="squared_epsilon_insensitive"),
    QuantileRegressor(alpha=0.1),
]


@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
