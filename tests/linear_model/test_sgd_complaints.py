"""What stochastic gradients cannot do is said, and what was good before is kept."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.errors import NonFiniteData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import SGDClassifier, SGDRegressor
from daskml_dist.losses import Squared
from daskml_dist.optimizers import Adam
from tests.linear_model.test_sgd import BOTH, objective, rows


@BOTH
def test_a_rate_that_is_too_large_keeps_the_last_good_model(strategy: str) -> None:
    X, _, y = rows("iid")
    settings: Any = {
        "learning_rate": "constant",
        "strategy": strategy,
        "max_iter": 3,
        "tol": None,
        "verbose": 0,
    }
    with pytest.warns(ConvergenceWarning, match="learning rate of SGD.* is too large"):
        model = SGDRegressor(eta0=1e3, **settings).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert objective(Squared(), model.coef_, model.intercept_, X, y) <= np.mean(y**2) / 2 + 1e-12


def test_a_partition_without_a_class() -> None:
    X, y, _ = rows("iid", 2_000)
    order = np.argsort(y, kind="stable")
    parts = [da.from_array(part[order], chunks=(400, *part.shape[1:])) for part in (X, y)]
    for strategy in ("synchronous", "model_averaging"):
        model = SGDClassifier("hinge", strategy=strategy, max_iter=1, tol=None, verbose=0).fit(*parts)
        assert model.score(X, y) > 0.6


def test_nan_is_found() -> None:
    X, y, _ = rows("iid", 2_000)
    bad = X.copy()
    bad[1_234, 2] = np.nan
    with pytest.raises(NonFiniteData, match="column 2"):
        SGDClassifier(verbose=0, learning_rate="constant").fit(bad, y)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        (
            {"strategy": "gossip"},
            UnsupportedParameter,
            "'synchronous', 'model_averaging'",
        ),
        ({"loss": "perceptron"}, UnsupportedParameter, "'hinge', 'log_loss'"),
        ({"learning_rate": "pa1"}, UnsupportedParameter, "'auto', 'constant'"),
        ({"batch_size": 0}, UnsupportedParameter, "batch_size=0"),
        ({"average": "yes"}, UnsupportedParameter, "average='yes'"),
        ({"validation_fraction": 1.0}, UnsupportedParameter, "validation_fraction=1.0"),
        ({"local_steps": 3}, UnsupportedCombination, "model_averaging"),
        ({"correction_rounds": 1}, UnsupportedCombination, "without kinks"),
        ({"optimizer": Adam(), "learning_rate": "constant"}, UnsupportedCombination, "learning rate"),
        ({"optimizer": Adam(), "penalty": "l1"}, UnsupportedCombination, "smooth penalty"),
        ({"learning_rate": "optimal", "alpha": 0.0}, UnsupportedCombination, "alpha must be > 0"),
    ],
)
def test_refusals(settings: Any, error: Any, text: str) -> None:
    X, y, _ = rows("iid", 2_000)
    with pytest.raises(error, match=text):
        SGDClassifier(**settings, verbose=0).fit(X, y)
