"""Every estimator has somebody else's optimum: in memory, in 3, 17 and 128 chunks, on both backends.

One table, and one walk over it. The features are raw, of units from 1e-3 to 1e3 and far from zero, but
where the other's solver does not get to the optimum on such; rows have weights, some of them zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from distributed import Client
from scipy.optimize import root
from sklearn import linear_model as sk
from sklearn import svm
from sklearn.base import clone

from daskml_dist import linear_model as ours
from tests.linear_model import test_families as families
from tests.linear_model.problems import chunked, data
from tests.linear_model.test_huber import slopes

DATA = data()
SCALED = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0) + 0.5
WEIGHT = DATA.weight
POSITIVE = WEIGHT + 0.01  # scikit-learn divides by the root of a weight where rows are left out
THREE = np.array(["ant", "bee", "cat"])[np.searchsorted(np.quantile(DATA.reals, [0.3, 0.7]), DATA.reals)]
NOISY = DATA.reals + 20.0 * np.random.default_rng(4).standard_t(1.5, len(DATA.reals))
TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}
PROVEN: dict[str, Any] = {"tol": 1e-12, "verbose": 0}
QUIET: dict[str, Any] = {"verbose": 0}
NEWTON: dict[str, Any] = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}
DESCENT: dict[str, Any] = {"tol": 1e-14, "max_iter": 100_000}
LIBLINEAR: dict[str, Any] = {"tol": 1e-11, "max_iter": 100_000, "random_state": 0}  # less: it goes astray
PRIMAL: dict[str, Any] = {"dual": False, "tol": 1e-13, "max_iter": 100_000}
CHOICES = ("alpha_", "C_", "l1_ratio_")


@dataclass(frozen=True, eq=False)
class Case:
    """An estimator, and who says what its optimum is: a model of the same parameters, or a function."""

    name: str
    model: Any
    other: Any
    y: np.ndarray = field(default_factory=lambda: DATA.reals)
    X: np.ndarray = field(default_factory=lambda: DATA.X)
    weight: np.ndarray = field(default_factory=lambda: WEIGHT)

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.X, self.y, self.weight


def statsmodels(family: str, link: str) -> Callable[..., Any]:
    """Iteratively reweighted least squares of the same model without a penalty."""

    def fitted(*_: np.ndarray) -> Any:
        w, b = families.statsmodels_fit(family, link, offset=False)
        return SimpleNamespace(coef_=w, intercept_=b)

    return fitted


def none_negative(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Any:
    """The best of all sets of columns whose Poisson regression has no negative coefficient."""
    p = X.shape[1]
    found = []
    for kept in map(list, chain.from_iterable(combinations(range(p), k) for k in range(1, p + 1))):
        model = sk.PoissonRegressor(alpha=0.1, **NEWTON).fit(X[:, kept], y, weight)
        if (model.coef_ >= 0).all():
            mean = model.predict(X[:, kept])
            loss = np.average(mean - y * np.log(mean), weights=weight) + 0.05 * model.coef_ @ model.coef_
            w = np.zeros(p)
            w[kept] = model.coef_
            found.append((loss, w, model.intercept_))
    _, w, b = min(found, key=lambda one: one[0])
    return SimpleNamespace(coef_=w, intercept_=b)


def huber(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Any:
    """scikit-learn's, whose L-BFGS ends at six digits, polished by SciPy's root of the gradient."""
    near = sk.HuberRegressor(alpha=0.0, tol=1e-10, max_iter=100_000).fit(SCALED, y, weight)

    def model(theta: np.ndarray) -> Any:
        free = {"alpha": 0.0, "epsilon": 1.35, "fit_intercept": True}
        return SimpleNamespace(coef_=theta[:-2], intercept_=theta[-2], scale_=theta[-1], **free)

    start = np.concatenate([near.coef_, [near.intercept_, near.scale_]])
    theta = root(lambda at: slopes(model(at), SCALED, y, weight), start, tol=1e-13).x
    assert np.abs(theta / start - 1.0).max() < 1e-3
    w = theta[:-2] / X.std(axis=0)
    return SimpleNamespace(coef_=w, intercept_=theta[-2] + 0.5 * theta[:-2].sum() - w @ X.mean(axis=0))


ALPHAS = [10.0, 0.1, 1000.0]
FOLDS: dict[str, Any] = {"Cs": [0.01, 100.0], "cv": 2, "scoring": "neg_log_loss"}
#: one of each name, in the order of __all__
CASES = [
    Case("elastic net", ours.ElasticNet(alpha=0.5, **QUIET), sk.ElasticNet(alpha=0.5, **DESCENT)),
    Case(
        "elastic net search",
        ours.ElasticNetCV(alphas=20, l1_ratio=[0.3, 0.9], **QUIET),
        sk.ElasticNetCV(alphas=20, l1_ratio=[0.3, 0.9], **DESCENT),
    ),
    Case(
        "gamma",
        ours.GammaRegressor(alpha=0.1, **TIGHT),
        sk.GammaRegressor(alpha=0.1, **NEWTON),
        families.target("gamma", "log"),
    ),
    Case(
        "bounds",
        ours.GeneralizedLinearRegressor(family="poisson", alpha=0.1, lower_bounds=0.0, **TIGHT),
        none_negative,
        DATA.counts,
    ),
    Case("huber", ours.HuberRegressor(alpha=0.0, **TIGHT), huber, NOISY),
    Case("lasso", ours.Lasso(alpha=0.5, **QUIET), sk.Lasso(alpha=0.5, **DESCENT)),
    Case("lasso search", ours.LassoCV(alphas=20, **QUIET), sk.LassoCV(alphas=20, **DESCENT)),
    Case("least squares", ours.LinearRegression(**QUIET), sk.LinearRegression(tol=1e-15)),
    Case("squared hinge", ours.LinearSVC(**TIGHT), svm.LinearSVC(**PRIMAL), DATA.labels),
    Case(
        "squared tube",
        ours.LinearSVR(epsilon=0.5, loss="squared_epsilon_insensitive", **TIGHT),
        svm.LinearSVR(epsilon=0.5, loss="squared_epsilon_insensitive", **PRIMAL),
    ),
    Case(
        "logistic",
        ours.LogisticRegression(C=100.0, class_weight="balanced", **TIGHT),
        sk.LogisticRegression(C=100.0, class_weight="balanced", **NEWTON),
        DATA.labels,
    ),
    Case(
        "logistic search",
        ours.LogisticRegressionCV(**FOLDS, use_legacy_attributes=False, **TIGHT),
        sk.LogisticRegressionCV(**FOLDS, use_legacy_attributes=False, **NEWTON),
        DATA.labels,
    ),
    Case(
        "mean over partitions, logistic",  # what the worst of them is for: test_minimax.py
        ours.MinimaxClassifier(risk="mean", alpha=1.0 / (100.0 * WEIGHT.sum()), **TIGHT),
        sk.LogisticRegression(C=100.0, **NEWTON),
        DATA.labels,
    ),
    Case(
        "mean over partitions, poisson",
        ours.MinimaxRegressor(loss="poisson", risk="mean", alpha=1e-3, **TIGHT),
        sk.PoissonRegressor(alpha=1e-3, **NEWTON),
        DATA.counts,
    ),
    Case(
        "poisson",
        ours.PoissonRegressor(alpha=1e-3, **TIGHT),
        sk.PoissonRegressor(alpha=1e-3, **NEWTON),
        DATA.counts,
    ),
    Case(
        "quantile",
        ours.QuantileRegressor(quantile=0.3, alpha=0.01, **PROVEN),
        sk.QuantileRegressor(quantile=0.3, alpha=0.01, solver="highs"),
        NOISY,
    ),
    Case("ridge", ours.Ridge(alpha=10.0, **QUIET), sk.Ridge(alpha=10.0, solver="svd")),
    Case("ridge search", ours.RidgeCV(ALPHAS, cv=4, **QUIET), sk.RidgeCV(ALPHAS, cv=4)),
    Case("ridge classes", ours.RidgeClassifier(**QUIET), sk.RidgeClassifier(solver="svd"), THREE),
    Case(
        "ridge classes search",
        ours.RidgeClassifierCV(ALPHAS, cv=4, **QUIET),
        sk.RidgeClassifierCV(ALPHAS, cv=4),
        THREE,
    ),
    Case(
        "tweedie",
        ours.TweedieRegressor(power=1.5, alpha=0.1, link="log", **TIGHT),
        sk.TweedieRegressor(power=1.5, alpha=0.1, link="log", **NEWTON),
        families.target("tweedie", "log"),
    ),
]
#: other roads of the same names
MORE = [
    Case("three classes", ours.LogisticRegression(**TIGHT), sk.LogisticRegression(**NEWTON), THREE),
    Case(
        "sparse logistic",
        ours.LogisticRegression(C=0.05, l1_ratio=0.8, **TIGHT),
        sk.LogisticRegression(C=0.05, l1_ratio=0.8, solver="saga", random_state=0, **DESCENT),
        DATA.labels,
        SCALED,
    ),
    *(
        Case(
            f"{family} {link}",
            ours.GeneralizedLinearRegressor(family=family, link=link, **TIGHT),
            statsmodels(family, link),
            families.target(family, link),
        )
        for family, link in (("inverse gaussian", "log"), ("binomial", "probit"))
    ),
    Case(
        "hinge",
        ours.LinearSVC(loss="hinge", **PROVEN),
        svm.LinearSVC(loss="hinge", **LIBLINEAR),
        DATA.labels,
        SCALED,
    ),
    Case("tube", ours.LinearSVR(epsilon=0.5, **PROVEN), svm.LinearSVR(epsilon=0.5, **LIBLINEAR), X=SCALED),
    Case(
        "ridge, rows left out",
        ours.RidgeCV(ALPHAS, **QUIET),
        sk.RidgeCV(ALPHAS, gcv_mode="svd"),
        weight=POSITIVE,
    ),
    Case(
        "ridge classes, rows left out",
        ours.RidgeClassifierCV(ALPHAS, **QUIET),
        sk.RidgeClassifierCV(ALPHAS),
        THREE,
        weight=POSITIVE,
    ),
]
every_case = pytest.mark.parametrize("case", CASES + MORE, ids=lambda case: case.name)


@cache
def optimum(case: Case) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.other(*case.data) if callable(case.other) else case.other.fit(*case.data)


def theta(model: Any) -> np.ndarray:
    return np.append(np.ravel(model.coef_), np.ravel(model.intercept_))


def in_units_of_spread(model: Any, X: np.ndarray) -> np.ndarray:
    """The coefficients of scaled features and, last of each class, the margin at the mean row."""
    w = np.atleast_2d(model.coef_)
    b = np.broadcast_to(model.intercept_, (len(w),))
    return np.column_stack([w * X.std(axis=0), b + w @ X.mean(axis=0)])


def assert_optimum(model: Any, other: Any, X: np.ndarray) -> None:
    """The same choice, zeros where the other has zeros, and all else to 1e-6 of the largest coefficient."""
    for name in CHOICES:
        if name in vars(other):
            np.testing.assert_allclose(getattr(model, name), getattr(other, name), rtol=1e-12)
    np.testing.assert_array_equal(np.ravel(model.coef_) == 0.0, np.ravel(other.coef_) == 0.0)
    found, expected = (in_units_of_spread(one, X) for one in (model, other))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected[:, :-1]).max())


def test_every_estimator_is_in_the_table() -> None:
    near = {"SGDClassifier", "SGDRegressor"}  # come near the optimum, which test_sgd.py measures
    assert [type(case.model).__name__ for case in CASES] == [one for one in ours.__all__ if one not in near]
    assert all((case.weight == 0.0).any() or case.weight is POSITIVE for case in CASES + MORE)


@pytest.mark.thinned(2)
@every_case
def test_rows_in_memory(case: Case) -> None:
    model, other = clone(case.model).fit(*case.data), optimum(case)
    assert_optimum(model, other, case.X)
    wrong = SimpleNamespace(**{**vars(other), "coef_": other.coef_ * (1.0 + 4e-6)})
    with pytest.raises(AssertionError):
        assert_optimum(model, wrong, case.X)


def test_the_optimum_of_another_penalty_is_seen() -> None:
    ridge, logistic = ({case.name: case for case in CASES}[name] for name in ("ridge", "logistic"))
    for case, other in ((ridge, {"alpha": 10.01}), (logistic, {"C": 100.1}), (logistic, {"C": 1.0})):
        model = clone(case.model).set_params(**other).fit(*case.data)
        with pytest.raises(AssertionError):
            assert_optimum(model, optimum(case), case.X)


class Held:
    """Arrays in chunks on the workers of a cluster, sent there once for all models."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._held: dict[tuple[int, int], Any] = {}

    def cut(self, array: np.ndarray, pieces: int) -> Any:
        where = id(array), pieces  # the table keeps each array alive
        if where not in self._held:
            self._held[where] = self.client.persist(chunked(array, pieces))
        return self._held[where]


@pytest.fixture(scope="module")
def held(cluster: Any) -> Iterator[Held]:
    with Client(cluster, set_as_default=False) as client:
        yield Held(client)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rows_in_128_chunks(case: Case) -> None:
    """The optimum, on threads alone; on both backends in ``make slow``."""
    assert_optimum(clone(case.model).fit(*(chunked(part, 128) for part in case.data)), optimum(case), case.X)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("case", "pieces"),
    [
        *((case, pieces) for case in CASES for pieces in (3, 17)),
        *((case, 17) for case in MORE),
        *(pytest.param(case, 128, marks=pytest.mark.slow) for case in CASES),
    ],
    ids=lambda part: getattr(part, "name", part),
)
def test_rows_in_chunks_on_both_backends(case: Case, pieces: int, held: Held) -> None:
    """The optimum, and the same bits."""
    here = clone(case.model).fit(*(chunked(part, pieces) for part in case.data))
    assert here.graph_ is None
    assert_optimum(here, optimum(case), case.X)
    there = (
        clone(case.model)
        .set_params(scheduler=held.client)
        .fit(*(held.cut(part, pieces) for part in case.data))
    )
    assert there.graph_ is not None
    assert theta(here).tobytes() == theta(there).tobytes()
    assert (here.n_passes_, here.gap_) == (there.n_passes_, there.gap_)
