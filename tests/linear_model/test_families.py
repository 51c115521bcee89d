"""Families and links: statsmodels' and scikit-learn's optimum, on every cut and both backends."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from sklearn import linear_model as sk

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import GammaRegressor, GeneralizedLinearRegressor, TweedieRegressor
from tests.linear_model.problems import chunked, data, difference

pytestmark = pytest.mark.few_clusters

DATA = data()
N = len(DATA.X)
TIGHT = {"tol": 1e-14, "verbose": 0}
LINKS = sm.families.links
FAMILIES = {
    "normal": sm.families.Gaussian,
    "poisson": sm.families.Poisson,
    "gamma": sm.families.Gamma,
    "inverse gaussian": sm.families.InverseGaussian,
    "tweedie": lambda link: sm.families.Tweedie(link=link, var_power=1.5),
    "binomial": sm.families.Binomial,
}
LINK = {
    "log": LINKS.Log,
    "identity": LINKS.Identity,
    "logit": LINKS.Logit,
    "probit": LINKS.Probit,
    "cloglog": LINKS.CLogLog,
}
PAIRS = [
    *((family, link) for family in FAMILIES if family != "binomial" for link in ("log", "identity")),
    *(("binomial", link) for link in ("logit", "probit", "cloglog")),
]
every_pair = pytest.mark.parametrize(("family", "link"), PAIRS, ids=str)


@cache
def target(family: str, link: str) -> np.ndarray:
    """Drawn from the model, with means far enough from the edge of the domain."""
    rng = np.random.default_rng(1)
    z = (
        0.3
        * ((DATA.X / 10.0 ** np.linspace(-3, 3, 5)) - [0.0, 3.0, -50.0, 100.0, 7.0])
        @ [0.5, -1, 0.3, 0.8, -0.4]
    )
    mean = {"log": np.exp(z + 0.5), "identity": 6.0 + z}.get(link, z)
    return {
        "normal": lambda: mean + 0.3 * rng.standard_normal(N),
        "poisson": lambda: rng.poisson(mean).astype(float),
        "gamma": lambda: rng.gamma(4.0, mean / 4.0),
        "inverse gaussian": lambda: rng.wald(mean, 20.0),
        "tweedie": lambda: np.where(rng.random(N) < 0.05, 0.0, rng.gamma(4.0, mean / 4.0)),
        "binomial": lambda: rng.binomial(5, 1.0 / (1.0 + np.exp(-2.0 * z))) / 5.0,
    }[family]()


@cache
def statsmodels_fit(family: str, link: str, offset: bool) -> Any:
    """The same model by iteratively reweighted least squares, on scaled columns."""
    scale = np.abs(DATA.X).max(axis=0)
    columns = np.column_stack([DATA.X / scale, np.ones(N)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sm.GLM(
            target(family, link),
            columns,
            family=FAMILIES[family](link=LINK[link]()),
            freq_weights=DATA.weight,
            offset=0.1 * DATA.offset if offset else None,
        )
        found = model.fit(tol=1e-15, tol_criterion="params", maxiter=200)
    return found.params[:-1] / scale, found.params[-1]


def assert_same(model: Any, family: str, link: str, offset: bool = False) -> None:
    w, b = statsmodels_fit(family, link, offset)
    assert_allclose(np.append(model.coef_, model.intercept_), np.append(w, b), rtol=1e-6)


@pytest.mark.thinned(2)
@every_pair
def test_statsmodels_optimum(family: str, link: str) -> None:
    model = GeneralizedLinearRegressor(family=family, link=link, **TIGHT)
    assert_same(model.fit(DATA.X, target(family, link), DATA.weight), family, link)
    model.fit(DATA.X, target(family, link), DATA.weight, 0.1 * DATA.offset)
    assert_same(model, family, link, offset=True)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0, 3.0])
def test_scikit_learns_tweedie(power: float, alpha: float, intercept: bool, weighted: bool) -> None:
    y = target("gamma", "log")
    X = DATA.X / np.abs(DATA.X).max(axis=0)  # its lbfgs needs scaled features
    shared: dict[str, Any] = {"power": power, "alpha": alpha, "fit_intercept": intercept, "link": "log"}
    other = sk.TweedieRegressor(solver="newton-cholesky", tol=1e-12, max_iter=1000, **shared)
    weight = DATA.weight if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.fit(X, y, weight)
    assert difference(TweedieRegressor(**shared, **TIGHT).fit(X, y, weight), other) < 1e-6


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_scikit_learns_gamma(alpha: float, backend: str) -> None:
    y = target("gamma", "log")
    other = sk.GammaRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.fit(DATA.X, y, DATA.weight)
    model = GammaRegressor(alpha=alpha, **TIGHT)
    model.fit(*(chunked(part, 16) for part in (DATA.X, y, DATA.weight)))
    assert difference(model, other) < 1e-8
    assert model.score(DATA.X, y) == pytest.approx(other.score(DATA.X, y), rel=1e-9)


def test_power_zero_with_identity_is_least_squares_in_one_pass() -> None:
    model = TweedieRegressor(alpha=0.5, verbose=0).fit(DATA.X, DATA.reals)
    other = sk.Ridge(alpha=0.5 * N, solver="svd").fit(DATA.X, DATA.reals)
    assert difference(model, other) < 1e-9
    assert model.n_passes_ == 1


def optimality(model: Any, family: str, y: np.ndarray, low: float, high: float) -> float:
    """How far the conditions of the minimum are from holding, relative to the gradient of the null model."""
    link, scale = "logit" if family == "binomial" else "log", DATA.X.std(axis=0)
    margin = DATA.X @ model.coef_ + model.intercept_
    mean = LINK[link]().inverse(margin)
    variance = FAMILIES[family](link=LINK[link]()).variance(mean)
    slope = (mean - y) / variance / LINK[link]().deriv(mean)
    centred = (DATA.X - DATA.X.mean(axis=0)) / scale
    gradient = centred.T @ slope / N + model.alpha * (1 - model.l1_ratio) * model.coef_ / scale
    l1 = model.alpha * model.l1_ratio / scale
    w = model.coef_
    pull = np.where(
        w == 0, np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0), gradient + l1 * np.sign(w)
    )
    pull = np.where(w <= low, np.minimum(pull, 0), np.where(w >= high, np.maximum(pull, 0), pull))
    return float(np.abs(np.append(pull, slope.mean())).max())


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("l1_ratio", "low", "high"), [(1.0, None, None), (0.4, None, None), (0.0, 0.0, None), (0.5, -0.2, 0.05)]
)
@pytest.mark.parametrize("family", ["poisson", "gamma", "binomial"])
def test_elastic_net_and_bounds(
    family: str, l1_ratio: float, low: float | None, high: float | None, backend: str
) -> None:
    y = target(family, "logit" if family == "binomial" else "log")
    model = GeneralizedLinearRegressor(
        family=family, alpha=0.02, l1_ratio=l1_ratio, lower_bounds=low, upper_bounds=high, **TIGHT
    )
    model.fit(*(chunked(part, 16) for part in (DATA.X, y)))
    bounds = (-np.inf if low is None else low, np.inf if high is None else high)
    assert optimality(model, family, y, *bounds) < 1e-7
    assert (model.coef_ >= bounds[0]).all()
    assert (model.coef_ <= bounds[1]).all()


@every_pair
def test_predictions_are_the_inverse_link(family: str, link: str) -> None:
    model = GeneralizedLinearRegressor(family=family, link=link, verbose=0).fit(DATA.X, target(family, link))
    margin = DATA.X @ model.coef_ + model.intercept_
    assert_allclose(model.predict(DATA.X), LINK[link]().inverse(margin), rtol=1e-10)
    assert 0.0 < model.score(DATA.X, target(family, link)) < 1.0


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"family": "cauchy"}, "family='cauchy': expected one of 'normal'"),
        (
            {"family": "gamma", "link": "logit"},
            "link='logit' with family='gamma': expected one of 'auto', 'identity'",
        ),
        ({"family": "binomial", "link": "log"}, "expected one of 'auto', 'logit', 'probit', 'cloglog'"),
        ({"family": "tweedie", "power": 0.5}, "power=0.5: no distribution has it"),
        ({"lower_bounds": [0.0, 0.0]}, r"lower_bounds has shape \(2,\); expected a number or \(5,\)"),
        ({"lower_bounds": 1.0}, "must allow 0"),
        ({"upper_bounds": np.nan}, "is NaN"),
        ({"l1_ratio": 2.0}, "a number from 0 to 1"),
    ],
)
def test_what_makes_no_model_is_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedParameter, match=says):
        GeneralizedLinearRegressor(verbose=0, **parameters).fit(DATA.X, DATA.counts)


@pytest.mark.parametrize(
    ("family", "bad", "says"),
    [
        ("gamma", 0.0, "greater than zero"),
        ("inverse gaussian", -1.0, "greater than zero"),
        ("tweedie", -1.0, "never negative"),
        ("binomial", 1.5, "a share, from 0 to 1"),
    ],
)
def test_a_target_outside_the_domain_names_its_chunk(family: str, bad: float, says: str) -> None:
    y = np.full(N, 0.5)
    y[400] = bad
    cut = [chunked(part, 3) for part in (DATA.X, y)]
    with pytest.raises(InvalidData, match=rf"chunk \d+\): .*{says}"):
        GeneralizedLinearRegressor(family=family, verbose=0).fit(*cut)
