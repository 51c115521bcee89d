"""The optimum is scikit-learn's: raw features, every option, every cut, both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from tests.linear_model.problems import Data, chunked, data, difference, reference, rows
from tests.linear_model.truth import Objective, theta_of

pytestmark = pytest.mark.few_clusters

DATA = data()
TIGHT = {"tol": 1e-14, "verbose": 0}
MODELS = [
    LinearRegression(**TIGHT),
    LinearRegression(fit_intercept=False, **TIGHT),
    Ridge(alpha=10.0, **TIGHT),
    Ridge(alpha=0.0, **TIGHT),
    Ridge(alpha=1e-3, fit_intercept=False, **TIGHT),
    LogisticRegression(**TIGHT),
    LogisticRegression(C=np.inf, **TIGHT),
    LogisticRegression(C=0.01, fit_intercept=False, **TIGHT),
    LogisticRegression(C=np.inf, fit_intercept=False, **TIGHT),
    LogisticRegression(C=100.0, class_weight={0: 0.2, 1: 3.0}, **TIGHT),
    LogisticRegression(class_weight="balanced", **TIGHT),
    PoissonRegressor(**TIGHT),
    PoissonRegressor(alpha=0.0, **TIGHT),
    PoissonRegressor(alpha=1e-4, fit_intercept=False, **TIGHT),
    PoissonRegressor(alpha=0.0, fit_intercept=False, **TIGHT),
]
RICH = [
    Ridge(alpha=10.0, **TIGHT),
    LogisticRegression(C=100.0, class_weight="balanced", **TIGHT),
    PoissonRegressor(alpha=1e-3, **TIGHT),
]


def _fit(model: Any, X: Any, y: Any, weight: Any) -> Any:
    return type(model)(**model.get_params()).fit(X, y, weight)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_every_option_has_scikit_learns_optimum(model: Any, weighted: bool) -> None:
    y, weight = DATA.target(type(model)), DATA.weight if weighted else None
    expected = reference(model, DATA.X, y, weight)
    assert difference(_fit(model, DATA.X, y, weight), expected) < 1e-8
    cut = [None if part is None else chunked(part, 3) for part in (DATA.X, y, weight)]
    assert difference(_fit(model, *cut), expected) < 1e-8


@pytest.mark.parametrize("model", RICH, ids=lambda model: type(model).__name__)
def test_x_and_y_cut_differently(model: Any, backend: str) -> None:
    y = DATA.target(type(model))
    fitted = _fit(model, chunked(DATA.X, 16), chunked(y, 7, seed=1), DATA.weight)
    assert difference(fitted, reference(model, DATA.X, y, DATA.weight)) < 1e-8


@pytest.mark.parametrize("pieces", [1, 3, 16, 128])
def test_the_cut_has_empty_chunks_and_single_rows(pieces: int) -> None:
    sizes = rows(600, max(pieces, 3))
    assert len(sizes) == max(pieces, 3)
    assert sum(sizes) == 600
    assert {0, 1} <= set(sizes)


@pytest.mark.parametrize("alpha", [1.0, [1.0, 0.0, 50.0], [2.0, 2.0, 2.0]], ids=repr)
@pytest.mark.parametrize("intercept", [True, False])
def test_several_targets(alpha: Any, intercept: bool, backend: str) -> None:
    model = Ridge(alpha=alpha, fit_intercept=intercept, **TIGHT)
    expected = reference(model, DATA.X, DATA.table, DATA.weight)
    model.fit(*(chunked(part, 16) for part in (DATA.X, DATA.table, DATA.weight)))
    assert model.coef_.shape == (3, 5)
    assert difference(model, expected) < 1e-8
    plain = LinearRegression(fit_intercept=intercept, **TIGHT).fit(DATA.X, DATA.table)
    assert difference(plain, reference(plain, DATA.X, DATA.table)) < 1e-8


@pytest.mark.parametrize("alpha", [1.0, [1.0, 0.0, 50.0]], ids=repr)
@pytest.mark.parametrize("intercept", [True, False])
def test_several_targets_from_moments(alpha: Any, intercept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 1)
    model = Ridge(alpha=alpha, fit_intercept=intercept, **TIGHT)
    model.fit(DATA.X, DATA.table, DATA.weight)
    assert difference(model, reference(model, DATA.X, DATA.table, DATA.weight)) < 1e-8
    assert model.n_passes_ == 1


@pytest.mark.parametrize("solver", ["newton", "progressive-newton", "lbfgs"])
@pytest.mark.parametrize("model", [*RICH, LinearRegression(**TIGHT)], ids=lambda model: type(model).__name__)
def test_every_solver_finds_it(model: Any, solver: str) -> None:
    y = DATA.target(type(model))
    fitted = _fit(model.set_params(solver=solver, max_iter=500), DATA.X, y, DATA.weight)
    model.set_params(solver="auto", max_iter=100)
    assert difference(fitted, reference(model, DATA.X, y, DATA.weight)) < (
        1e-4 if solver == "lbfgs" else 1e-8
    )


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(verbose=0), LogisticRegression(C=np.inf, verbose=0), PoissonRegressor(verbose=0)],
    ids=repr,
)
def test_the_default_tolerance_is_enough_for_six_digits(model: Any, backend: str) -> None:
    y = DATA.target(type(model))
    fitted = _fit(model, chunked(DATA.X, 16), chunked(y, 16), None)
    ours, theirs = theta_of(fitted), theta_of(reference(model, DATA.X, y))
    spread = np.append(DATA.X.std(axis=0), 1.0)
    size = np.abs(theirs * spread).max()
    assert np.abs((ours - theirs) * spread).max() < 1e-6 * size
    assert fitted.gap_kind_ != "estimate"


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
@pytest.mark.parametrize("intercept", [True, False])
def test_an_offset_is_a_coefficient_of_one(kind: str, intercept: bool, backend: str) -> None:
    truth = _with_offset(DATA, kind, intercept)
    y = chunked(truth.y, 16)
    model: Any = PoissonRegressor(alpha=truth.alpha, fit_intercept=intercept, **TIGHT)
    if kind == "logistic":
        C = 1 / (truth.alpha * truth.weight.sum())
        model = LogisticRegression(C=C, fit_intercept=intercept, **TIGHT)
    model.fit(chunked(DATA.X, 16), y, chunked(truth.weight, 16), offset=chunked(DATA.offset, 5))
    theta = truth.minimum()[0].astype(float)
    assert np.max(np.abs(theta_of(model) / theta - 1)) < 1e-8


def _with_offset(given: Data, kind: str, intercept: bool) -> Objective:
    y = (given.labels if kind == "logistic" else given.counts).astype(float)
    return Objective(kind, given.X, y, given.weight, 1e-3, intercept, given.offset)
