"""strategy="parameter_server": the steps of the synchronous strategy, or near them where nodes may part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import daskml_dist
from daskml_dist.errors import NonFiniteData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import SGDClassifier, SGDRegressor
from daskml_dist.optimizers import Adam, Momentum
from tests.linear_model.problems import chunked
from tests.linear_model.test_sgd import fitted, rows

SLOW = pytest.mark.slow
OTHERS = ["squared_error", "hinge"]

SERVED = {"strategy": "parameter_server"}
BULK = {**SERVED, "consistency": "bulk_synchronous"}


@pytest.mark.parametrize("loss", ["log_loss", *(pytest.param(name, marks=SLOW) for name in OTHERS)])
@pytest.mark.parametrize(
    "settings", [{}, {"penalty": "l1", "alpha": 1e-3}, {"optimizer": Momentum(0.01, 0.5)}]
)
def test_whole_clocks_are_synchronous_steps(loss: str, settings: dict[str, Any]) -> None:
    together, _ = fitted(loss, "correlated", max_iter=2, **settings)
    served, _ = fitted(loss, "correlated", max_iter=2, **BULK, servers=3, **settings)
    np.testing.assert_allclose(served.coef_, together.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(served.intercept_, together.intercept_, rtol=1e-9, atol=1e-12)
    assert served.n_iter_ == together.n_iter_ and served.t_ == together.t_


def test_staleness_0_is_bulk_synchronous() -> None:
    bulk, _ = fitted("log_loss", "iid", max_iter=2, **BULK)
    for pieces, servers in ((3, 1), (3, 2), (1, 5)):
        stale, _ = fitted("log_loss", "iid", pieces, max_iter=2, **SERVED, staleness=0, servers=servers)
        again, _ = fitted("log_loss", "iid", pieces, max_iter=2, **BULK)
        np.testing.assert_array_equal(stale.coef_, again.coef_)
        assert stale.served_["largest_staleness"] == 0
    assert bulk.served_["duplicates"] == 0


@pytest.mark.parametrize("loss", ["log_loss", pytest.param("squared_error", marks=SLOW)])
@pytest.mark.parametrize("settings", [{"staleness": 4}, {"consistency": "asynchronous", "servers": 3}])
def test_nodes_that_part_come_near(loss: str, settings: dict[str, Any]) -> None:
    model, excess = fitted(loss, "iid", 4, max_iter=3, **SERVED, **settings)
    assert excess < 1e-3
    assert model.served_["largest_staleness"] <= settings.get("staleness", np.inf)
    assert sum(model.served_["staleness"].values()) == model.served_["pushes"]


@pytest.mark.slow
def test_several_classes_and_weights() -> None:
    X, y = load_digits(return_X_y=True)
    weight = np.random.default_rng(0).random(len(y))
    settings: dict[str, Any] = {"loss": "log_loss", "alpha": 1e-2, "max_iter": 3, "tol": None, "verbose": 0}
    together = SGDClassifier(**settings).fit(chunked(X, 4), chunked(y, 4), chunked(weight, 4))
    served = SGDClassifier(**settings, **BULK, servers=2).fit(
        chunked(X, 4), chunked(y, 4), chunked(weight, 4)
    )
    np.testing.assert_allclose(served.coef_, together.coef_, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_it_ends_by_itself_goes_on_and_is_saved(tmp_path: Any) -> None:
    X, y, _ = rows("iid")
    model = SGDClassifier("log_loss", early_stopping=True, verbose=0, **SERVED).fit(
        chunked(X, 3), chunked(y, 3)
    )
    assert model.n_iter_ < 30
    for _ in range(2):
        model.partial_fit(chunked(X, 3), chunked(y, 3), classes=[0, 1])
    daskml_dist.save(model, tmp_path / "served")
    again = daskml_dist.load(tmp_path / "served")
    assert again.served_ == model.served_
    np.testing.assert_array_equal(again.coef_, model.coef_)


@pytest.mark.slow
def test_a_checkpoint_is_gone_on_with(tmp_path: Any) -> None:
    settings: dict[str, Any] = {**BULK, "checkpoint": str(tmp_path / "kept")}
    fitted("log_loss", "iid", max_iter=2, **settings)
    gone_on, _ = fitted("log_loss", "iid", max_iter=3, **settings)
    whole, _ = fitted("log_loss", "iid", max_iter=3, **BULK)
    assert gone_on.n_iter_ == 3
    np.testing.assert_array_equal(gone_on.coef_, whole.coef_)
    assert gone_on.served_ == whole.served_


def test_a_rate_that_is_too_large_keeps_the_last_good_model() -> None:
    X, _, y = rows("iid")
    with pytest.warns(ConvergenceWarning, match="learning rate .* is too large"):
        model = SGDRegressor(verbose=0, learning_rate="constant", eta0=1e4, random_state=0, **SERVED)
        model.fit(chunked(X, 3), chunked(y, 3))
    assert np.isfinite(model.coef_).all()


def test_nan_is_found_and_nobody_waits_for_ever() -> None:
    X, y, _ = rows("iid")
    X = X.copy()
    X[7_000, 2] = np.nan
    with pytest.raises(NonFiniteData, match="chunk 2"):
        SGDClassifier("log_loss", verbose=0, optimizer=Adam(0.01), **SERVED).fit(chunked(X, 3), chunked(y, 3))


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"consistency": "sometimes"}, UnsupportedParameter, "'bulk_synchronous', 'stale_synchronous'"),
        ({"staleness": -1}, UnsupportedParameter, "staleness=-1"),
        ({"staleness": 1.5}, UnsupportedParameter, "a whole number"),
        ({"servers": 0}, UnsupportedParameter, "servers=0"),
        ({"staleness": 2, "consistency": "asynchronous"}, UnsupportedCombination, "Leave staleness=None"),
        ({"local_steps": 2}, UnsupportedCombination, "model_averaging"),
        ({"strategy": "synchronous", "staleness": 2}, UnsupportedCombination, "parameter_server"),
        ({"strategy": "synchronous", "servers": 2}, UnsupportedCombination, "parameter_server"),
    ],
)
def test_refusals(settings: dict[str, Any], error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        SGDClassifier(**{**SERVED, **settings}).fit([[0.0], [1.0]], [0, 1])
