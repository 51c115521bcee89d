"""What fits tell beside their steps: numbers that the fitted model has too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskml_dist.fit.details import Details
from daskml_dist.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    MinimaxRegressor,
    Ridge,
    SGDClassifier,
)
from daskml_dist.monitor import audience

Told = list[Mapping[str, Any]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Everything that fits tell, without a pause between tellings."""
    monkeypatch.setattr("daskml_dist.fit.details._PAUSE", 0.0)
    heard: Told = []
    audience.join(heard.append)
    yield heard
    audience.leave(heard.append)


def of(told: Told, event: str) -> Told:
    return [message for message in told if message["event"] == event]


def table(n: int = 600, p: int = 6) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"col {j}" for j in range(p)])
    return X, (X["col 0"] - 2 * X["col 1"] + rng.logistic(size=n) > 0).to_numpy()


def test_the_last_coefficients_are_those_of_the_model_by_name(told: Told) -> None:
    X, y = table()
    model = LogisticRegression(solver="lbfgs", verbose=0).fit(X, y)
    last = of(told, "coefficients")[-1]
    found = dict(zip(last["names"], last["values"], strict=True))
    assert [found[name] for name in X] == pytest.approx(model.coef_[0])
    assert last["passes"] == model.n_passes_


def test_the_largest_twenty_are_told_and_those_that_were(told: Told) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 60))
    y = X @ np.linspace(0.0, 1.0, 60) + rng.logistic(size=2000) > 0
    model = LogisticRegression(solver="lbfgs", verbose=0).fit(X, y)
    last = of(told, "coefficients")[-1]
    largest = {f"x{j}" for j in np.argsort(-np.abs(model.coef_[0]))[:20]}
    assert set(last["names"][:20]) == largest and len(last["names"]) <= 40


def test_features_of_labelled_data_have_the_names_of_their_labels(told: Told) -> None:
    rng = np.random.default_rng(2)
    X = xr.DataArray(rng.normal(size=(90, 4, 3)), dims=("time", "lat", "band"), coords={"band": list("abc")})
    Ridge(verbose=0).fit(X, X.sum("band"), sample_dims=("time", "lat"))
    assert set(of(told, "coefficients")[-1]["names"]) == {"a", "b", "c"}


def test_classes_have_coefficients_each(told: Told) -> None:
    X, _ = table()
    LogisticRegression(verbose=0).fit(X, np.arange(len(X)) % 3)
    assert "col 0 (class 2)" in of(told, "coefficients")[-1]["names"]


def test_work_adds_up(told: Told) -> None:
    X, y = table()
    LogisticRegression(solver="lbfgs", verbose=0).fit(da.from_array(X.to_numpy(), chunks=(100, 6)), y)
    for work in of(told, "work"):
        assert 0.0 < work["slowest"] <= work["asked"] <= work["wall"] + 1e-6
        assert len(work["busy"]) == len(work["workers"]) and min(work["busy"]) >= 0.0
    seconds = of(told, "end")[0]["seconds"]
    assert sum(work["wall"] for work in of(told, "work")) <= seconds
    [placed] = of(told, "placed")
    assert sum(placed["rows"]) == 600 and placed["chunks"] == 6 and sum(placed["nbytes"]) >= 600 * 6 * 8


def test_scores_on_held_out_rows_have_an_error(told: Told) -> None:
    X, y = table(4000)
    model = SGDClassifier(early_stopping=True, validation_fraction=0.25, max_iter=6, tol=None, verbose=0)
    model.fit(X, y)
    scores = of(told, "held_out")
    assert len(scores) >= 5
    for one in scores:  # of about 1000 rows
        assert one["error"] == pytest.approx(np.sqrt(one["score"] * (1 - one["score"]) / 1000), rel=0.2)


def test_groups_are_told_by_name(told: Told) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(900, 3))
    site = np.array(["north", "south", "west"])[np.arange(900) % 3]
    y = X[:, 0] + np.where(site == "west", 3.0, 0.0) * rng.normal(size=900)
    model = MinimaxRegressor(verbose=0).fit(X, y, groups=site)
    last = of(told, "groups")[-1]
    assert last["names"] == ("north", "south", "west")
    assert last["weights"] == pytest.approx(list(model.group_weights_), abs=1e-9)
    assert last["losses"] == pytest.approx(list(model.group_losses_), rel=1e-9)


def test_servers_tell_how_stale_pulls_were(told: Told) -> None:
    X, y = table(2000)
    X_lazy = da.from_array(X.to_numpy(), chunks=(500, 6))
    SGDClassifier(strategy="parameter_server", max_iter=2, tol=None, verbose=0).fit(X_lazy, y)
    stale = of(told, "stale")[-1]
    assert sum(stale["pulls"]) == stale["pushes"] > 0 and max(stale["staleness"]) <= 3


def test_a_search_tells_its_candidates(told: Told) -> None:
    X, y = table(1500)
    SGDClassifier(
        eta0=[0.001, 0.1], eta0_cv=3, learning_rate="constant", max_iter=3, tol=None, verbose=0
    ).fit(X, y)
    [found] = of(told, "candidates")
    assert len(found["means"]) == 2 and found["best"] == int(np.argmin(found["means"]))


def test_a_fit_that_fails_says_why(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Details) -> None:
        raise ZeroDivisionError("on the way")

    monkeypatch.setattr(Details, "answered", broken)
    X, y = table()
    with pytest.raises(ZeroDivisionError):
        LogisticRegression(verbose=0).fit(X, y)
    [end] = of(told, "end")
    assert (end["status"], end["message"]) == ("failed", "ZeroDivisionError: on the way")


def test_nothing_is_looked_at_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(self: Details) -> None:
        raise AssertionError("somebody looked")

    monkeypatch.setattr(Details, "answered", looked)
    X, y = table()
    LogisticRegression(verbose=0).fit(X, y)


def test_candidates_of_a_cross_validation_are_told_with_their_errors(told: Told) -> None:
    X, y = table(1500)
    model = LogisticRegressionCV(Cs=[0.01, 1.0], cv=3, scoring="neg_log_loss", verbose=0).fit(X, y)
    [found] = of(told, "candidates")
    losses = -model.scores_[True]  # (splits, candidates)
    assert found["means"] == pytest.approx(losses.mean(axis=0), rel=1e-3)
    assert found["errors"] == pytest.approx(losses.std(axis=0, ddof=1) / np.sqrt(3), rel=1e-2)
    assert len(found["names"]) == 2 and found["best"] == int(np.argmin(found["means"]))
