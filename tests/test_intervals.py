"""Standard errors that fits tell: those of statsmodels, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from daskml_dist.linear_model import (
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MinimaxRegressor,
    PoissonRegressor,
    Ridge,
    RidgeCV,
    TweedieRegressor,
)
from daskml_dist.monitor import audience
from daskml_dist.solvers import descent, least_squares, progressive_newton
from daskml_dist.solvers.hessian import MOST_PARAMETERS

Told = list[Mapping[str, Any]]
QUIET: dict[str, Any] = {"verbose": 0}
TIGHT: dict[str, Any] = {"tol": 1e-13, "verbose": 0}
FAMILIES = sm.families


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What fits tell of their coefficients, without a pause between tellings."""
    monkeypatch.setattr("daskml_dist.fit.details._PAUSE", 0.0)
    heard: Told = []

    def hear(message: Mapping[str, Any]) -> None:
        if message["event"] == "coefficients":
            heard.append(message)

    audience.join(hear)
    yield heard
    audience.leave(hear)


def features(n: int = 900, p: int = 5, seed: int = 0) -> np.ndarray:
    """Correlated ones of very different units, far from the origin."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ np.linalg.cholesky(0.5 * np.eye(p) + 0.5).T
    return X * 10.0 ** np.linspace(-2.0, 2.0, p) + 3.0


def margin(X: np.ndarray) -> np.ndarray:
    return 0.5 + ((X - X.mean(axis=0)) / X.std(axis=0)) @ np.linspace(-0.5, 0.6, X.shape[1])


def positive(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(3.0, np.exp(z) / 3.0)


def errors_of(told: Told, p: int) -> np.ndarray:
    """(p,) of the last telling, in the order of the features."""
    last = told[-1]
    found = dict(zip(last["names"], last["errors"], strict=False))
    return np.array([found[f"x{j}"] for j in range(p)])


def check(found: np.ndarray, theirs: np.ndarray, rtol: float = 1e-6) -> None:
    assert_allclose(found, theirs, rtol=rtol)


# -------------------------------------------------------------------------------- statsmodels'


def fitted(family: Any, X: np.ndarray, y: np.ndarray, s: np.ndarray | None, kind: str) -> Any:
    weights = {} if s is None else {kind: s}
    return sm.GLM(y, sm.add_constant(X), family=family, **weights).fit(tol=1e-14, maxiter=200, scale="dev")


def observed(family: Any, X: np.ndarray, y: np.ndarray, s: np.ndarray | None) -> np.ndarray:
    """(p,) by the observed information and the mean deviance."""
    found = fitted(family, X, y, s, "var_weights")
    information = -found.model.hessian(found.params, scale=found.scale, observed=True)
    return np.sqrt(np.diag(np.linalg.inv(information)))[1:]


def known_scale(family: Any, X: np.ndarray, y: np.ndarray, s: np.ndarray | None) -> np.ndarray:
    """(p,) with a dispersion of 1."""
    weights = {} if s is None else {"freq_weights": s}
    model = sm.GLM(y, sm.add_constant(X), family=family, **weights)
    return np.asarray(model.fit(tol=1e-14, maxiter=200, scale=1.0).bse)[1:]


def straight(X: np.ndarray, y: np.ndarray, s: np.ndarray | None) -> np.ndarray:
    ones = np.ones(len(y)) if s is None else s
    return np.asarray(sm.WLS(y, sm.add_constant(X), weights=ones).fit().bse)[1:]


Case = tuple[Any, Callable[[np.ndarray, np.random.Generator], np.ndarray], Callable[..., np.ndarray]]
LOG = FAMILIES.links.Log()
CASES: dict[str, Case] = {
    "logistic": (
        LogisticRegression(C=np.inf, **TIGHT),
        lambda z, rng: (z + rng.logistic(size=z.size) > 0).astype(float),
        lambda *given: known_scale(FAMILIES.Binomial(), *given),
    ),
    "logistic, newton": (
        LogisticRegression(C=np.inf, solver="newton", **TIGHT),
        lambda z, rng: (z + rng.logistic(size=z.size) > 0).astype(float),
        lambda *given: known_scale(FAMILIES.Binomial(), *given),
    ),
    "poisson": (
        PoissonRegressor(alpha=0.0, **TIGHT),
        lambda z, rng: rng.poisson(np.exp(z)).astype(float),
        lambda *given: known_scale(FAMILIES.Poisson(), *given),
    ),
    "gamma": (
        GammaRegressor(alpha=0.0, **TIGHT),
        positive,
        lambda *given: observed(FAMILIES.Gamma(LOG), *given),
    ),
    "tweedie": (
        TweedieRegressor(power=1.5, alpha=0.0, link="log", **TIGHT),
        positive,
        lambda *given: observed(FAMILIES.Tweedie(LOG, 1.5), *given),
    ),
    "least squares": (LinearRegression(**QUIET), lambda z, rng: z + rng.normal(size=z.size), straight),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", list(CASES))
def test_standard_errors_are_those_of_statsmodels(name: str, weighted: bool, told: Told) -> None:
    model, draw, theirs = CASES[name]
    X, rng = features(), np.random.default_rng(1)
    y = draw(margin(X), rng)
    s = rng.integers(1, 4, size=len(y)).astype(float) if weighted else None
    model.fit(X, y, sample_weight=s)
    assert told[-1]["source"] == "Hessian of all rows"
    check(errors_of(told, X.shape[1]), theirs(X, y, s), rtol=1e-5)


def test_the_check_sees_an_error_of_a_thousandth(told: Told) -> None:
    X = features()
    y = margin(X) + np.random.default_rng(1).normal(size=len(X))
    LinearRegression(**QUIET).fit(X, y)
    theirs = straight(X, y, None)
    check(errors_of(told, 5), theirs)
    with pytest.raises(AssertionError):
        check(errors_of(told, 5), 1.001 * theirs, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 30.0])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("way", ["factor", "moments"])
def test_ridge_has_those_of_the_penalised_hessian(
    way: str, intercept: bool, alpha: float, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "moments":
        monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    X, n, p = features(), 900, 5
    y = margin(X) + np.random.default_rng(1).normal(size=n)
    model = Ridge(alpha=alpha, fit_intercept=intercept, **QUIET).fit(X, y)
    centred = X - X.mean(axis=0) if intercept else X
    sigma2 = np.sum((y - model.predict(X)) ** 2) / (n - p - intercept)
    theirs = np.sqrt(sigma2 * np.diag(np.linalg.inv(centred.T @ centred + alpha * np.eye(p))))
    check(errors_of(told, p), theirs)


def test_logistic_with_a_penalty_has_those_of_the_penalised_hessian(told: Told) -> None:
    X = features()
    z = margin(X)
    y = z + np.random.default_rng(1).logistic(size=len(z)) > 0
    model = LogisticRegression(C=0.5, **TIGHT).fit(X, y)
    chance = model.predict_proba(X)[:, 1]
    rows = np.column_stack([X, np.ones(len(X))])
    information = (rows.T * (chance * (1 - chance))) @ rows + np.diag([2.0] * 5 + [0.0])
    check(errors_of(told, 5), np.sqrt(np.diag(np.linalg.inv(information)))[:5], rtol=1e-5)


def test_a_sample_gives_nearly_those_of_all_rows_and_says_so(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progressive_newton, "CHEAP_PARAMETERS", 0)
    monkeypatch.setattr(progressive_newton, "CHEAP_FLOPS", 0.0)
    X = features(100_000, 8)
    y = margin(X) + np.random.default_rng(1).logistic(size=len(X)) > 0
    LogisticRegression(C=np.inf, solver="progressive-newton", tol=1e-4, verbose=0).fit(X, y)
    assert told[-1]["source"] == "Hessian of a sample"
    check(errors_of(told, 8), known_scale(FAMILIES.Binomial(), X, y.astype(float), None), rtol=0.03)


def test_a_hessian_of_all_rows_stays_one_in_passes_without(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([True, True])
    monkeypatch.setattr(descent.Policy, "wants_hessian", lambda *given: next(asked, False))
    X = features()
    y = margin(X) + np.random.default_rng(1).logistic(size=len(X)) > 0
    LogisticRegression(C=np.inf, solver="newton", **TIGHT).fit(X, y)
    assert len(told) > 2 and {message["source"] for message in told} == {"Hessian of all rows"}
    check(errors_of(told, 5), known_scale(FAMILIES.Binomial(), X, y.astype(float), None), rtol=0.03)


# ---------------------------------------------------------------------------------- none, and why


def line(X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, 0] + np.random.default_rng(1).normal(size=len(X)))


def refusals() -> Iterator[Any]:
    X = np.random.default_rng(0).normal(size=(700, 4))
    y, twice, wide = line(X), np.column_stack([X, X[:, 0] + X[:, 1]]), features(60, 80)
    sign, third = y > 0, np.arange(700) % 3
    many = np.random.default_rng(0).normal(size=(800, MOST_PARAMETERS + 1))
    linear: dict[str, Any] = {"fit_intercept": False, **QUIET}
    yield "no Hessian", LogisticRegression(solver="lbfgs", **QUIET), X, sign
    yield "no Hessian", LogisticRegression(solver="newton-cg", **QUIET), X, sign
    yield "no Hessian", RidgeCV(**QUIET), X, y
    yield "kinks or bounds", LogisticRegression(l1_ratio=1.0, **QUIET), X, sign
    yield "kinks or bounds", Lasso(0.1, **QUIET), X, y
    yield "no likelihood", HuberRegressor(**QUIET), X, y
    yield "share a constant", LogisticRegression(**QUIET), X, third
    yield "several targets", LinearRegression(**QUIET), X, np.column_stack([y, -y])
    yield "collinear", LinearRegression(**QUIET), twice, y
    yield "collinear", LogisticRegression(C=np.inf, **QUIET), twice, sign
    yield f"more than {MOST_PARAMETERS}", LinearRegression(**linear), many, line(many)
    yield "no more rows", Ridge(**QUIET), wide, line(wide)


@pytest.mark.parametrize(("why", "model", "X", "y"), list(refusals()))
def test_where_there_are_none_it_says_why(why: str, model: Any, X: np.ndarray, y: Any, told: Told) -> None:
    model.fit(X, y)
    assert why in told[-1]["source"] and told[-1]["errors"] == ()
    assert len(told[-1]["values"]) >= 4  # the coefficients themselves are told


def test_groups_have_none(told: Told) -> None:
    X = np.random.default_rng(0).normal(size=(600, 3))
    MinimaxRegressor(**QUIET).fit(X, line(X), groups=np.arange(600) % 3)
    assert told[-1]["errors"] == () and "worst group" in told[-1]["source"]


def test_a_constant_column_has_none_without_a_ridge_whichever_way(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.column_stack([features(), np.full(900, 2.0)])
    for elements in (least_squares.SMALL_ELEMENTS, 0):
        monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", elements)
        LinearRegression(**QUIET).fit(X, line(X))
        assert told[-1]["errors"] == ()
        Ridge(**QUIET).fit(X, line(X))
        assert len(told[-1]["errors"]) == 6 and np.isfinite(told[-1]["errors"]).all()


def test_only_those_of_the_largest_twenty_are_told(told: Told) -> None:
    X = np.random.default_rng(0).normal(size=(2000, 60))
    y = X @ np.linspace(0.0, 1.0, 60) + np.random.default_rng(1).logistic(size=2000) > 0
    LogisticRegression(verbose=0).fit(X, y)
    assert all(len(message["errors"]) in (0, 20) for message in told) and len(told[-1]["errors"]) == 20
    assert len(told[-1]["names"]) <= 40


def test_they_cost_no_question_and_change_no_bit(told: Told) -> None:
    X = features()
    y = margin(X) + np.random.default_rng(1).logistic(size=len(X)) > 0
    watched = LogisticRegression(verbose=0).fit(X, y)
    assert len(told[-1]["errors"]) == 5
    asked = [(row["passes"], row["question"], row["tasks"]) for row in watched.history_]
    told.clear()
    sinks, audience._sinks = audience._sinks, ()
    try:
        alone = LogisticRegression(verbose=0).fit(X, y)
    finally:
        audience._sinks = sinks
    assert told == [] and watched.coef_.tobytes() == alone.coef_.tobytes()
    assert asked == [(row["passes"], row["question"], row["tasks"]) for row in alone.history_]
