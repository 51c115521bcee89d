"""Estimators by gradient descent: scikit-learn's optimum by each rule of steps, on every cut and backend."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn import linear_model as sk
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from daskml_dist import load, save
from daskml_dist.cluster.in_process import InProcess
from daskml_dist.errors import CheckpointInvalid, UnsupportedCombination, UnsupportedParameter
from daskml_dist.kernels import Sweep
from daskml_dist.linear_model import (
    GammaRegressor,
    GeneralizedLinearRegressor,
    LinearRegression,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from daskml_dist.optimizers import SGD, Adam, Momentum, Nesterov
from daskml_dist.optimizers.schedules import Adaptive, InverseScaling, WarmUp
from daskml_dist.solvers import GradientDescent
from tests.linear_model.problems import chunked, data, difference, reference
from tests.linear_model.test_multinomial import LABELS, assert_same, theirs
from tests.linear_model.test_multinomial import X as CLASSES_X
from tests.linear_model.truth import theta_of

DATA = data()
QUIET: dict[str, Any] = {"verbose": 0, "max_iter": 3000}
SOLVERS: list[Any] = [
    "gradient_descent",
    GradientDescent("backtracking"),
    GradientDescent(SGD(0.5)),
    GradientDescent(SGD(WarmUp(InverseScaling(0.5, 0.0), 4))),
    GradientDescent(SGD(Adaptive(0.5, tol=0.0, n_iter_no_change=20))),
    GradientDescent(Momentum(0.2, 0.6)),
    GradientDescent(Nesterov(0.2, 0.6)),
]
MODELS: list[Any] = [
    LogisticRegression(C=10.0, class_weight="balanced"),
    PoissonRegressor(alpha=1e-3),
    Ridge(alpha=10.0),
    LinearRegression(),
]
every_solver = pytest.mark.parametrize("solver", SOLVERS, ids=repr)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def fitted(model: Any, X: Any, y: Any, weight: Any = None, **changes: Any) -> Any:
    return clone(model).set_params(**QUIET, **changes).fit(X, y, weight)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("pieces", [3, 17])
@every_solver
@every_model
def test_scikit_learns_optimum(model: Any, solver: Any, pieces: int) -> None:
    """On raw features, whose units differ by a factor of a million."""
    y = DATA.target(type(model))
    given = [chunked(part, pieces) for part in (DATA.X, y, DATA.weight)]
    found = fitted(model, *given, solver=solver, tol=1e-14)
    expected = reference(model, DATA.X, y, DATA.weight)
    middle = np.average(DATA.X, axis=0, weights=DATA.weight)  # where an intercept is what it is for
    ours, others = (np.append(m.coef_, m.intercept_ + np.ravel(m.coef_) @ middle) for m in (found, expected))
    spread = np.append(DATA.X.std(axis=0), 1.0)
    assert np.abs((ours - others) * spread).max() < 1e-6 * np.abs(others * spread).max()
    assert found.gap_ <= 1e-14


@pytest.mark.thinned(2)
@pytest.mark.parametrize("pieces", [pytest.param(3, marks=pytest.mark.slow), 17])
@every_model
def test_scikit_learns_optimum_on_a_cluster(model: Any, pieces: int, client: Any) -> None:
    test_scikit_learns_optimum(model, "gradient_descent", pieces)


@pytest.mark.thinned(4)
@every_model
def test_the_same_bits_on_threads_and_on_a_cluster(model: Any, client: Any) -> None:
    given = [chunked(part, 7) for part in (DATA.X, DATA.target(type(model)), DATA.weight)]
    for solver in ("gradient_descent", GradientDescent("backtracking"), GradientDescent(Nesterov(0.2, 0.6))):
        here, there = (
            fitted(model, *given, solver=solver, scheduler=where, tol=1e-9) for where in ("threads", client)
        )
        assert theta_of(here).tobytes() == theta_of(there).tobytes()
        assert (here.n_passes_, here.gap_) == (there.n_passes_, there.gap_)
        again = fitted(model, *given, solver=solver, scheduler="threads", tol=1e-9)
        assert theta_of(again).tobytes() == theta_of(here).tobytes()


@pytest.mark.parametrize("solver", SOLVERS[:3], ids=repr)
def test_several_classes(solver: Any) -> None:
    given = chunked(CLASSES_X, 17), chunked(LABELS, 17)
    model = fitted(LogisticRegression(C=0.1), *given, solver=solver, tol=1e-14)
    assert_same(model, theirs({"C": 0.1}), rtol=1e-5)


def test_several_targets() -> None:
    model = Ridge(alpha=[1.0, 0.0, 50.0])
    found = fitted(model, chunked(DATA.X, 5), chunked(DATA.table, 5), solver="gradient_descent", tol=1e-14)
    assert difference(found, reference(model, DATA.X, DATA.table)) < 1e-5


def test_other_models() -> None:
    """Those that share a training with the ones above."""
    plain = {"solver": "gradient_descent", "tol": 1e-12}
    X = DATA.X / np.abs(DATA.X).max(axis=0)
    positive = DATA.counts + 1.0
    gamma = fitted(GammaRegressor(alpha=1e-2), X, positive, **plain)
    other = sk.GammaRegressor(alpha=1e-2, solver="newton-cholesky", tol=1e-12).fit(X, positive)
    assert difference(gamma, other) < 1e-4
    one_against_rest = fitted(RidgeClassifier(), CLASSES_X, LABELS, **plain)
    assert difference(one_against_rest, sk.RidgeClassifier(solver="svd").fit(CLASSES_X, LABELS)) < 1e-5
    rounded = fitted(GeneralizedLinearRegressor(family="poisson", alpha=1e-3), X, DATA.counts, **plain)
    other = sk.PoissonRegressor(alpha=1e-3, solver="newton-cholesky", tol=1e-12).fit(X, DATA.counts)
    assert difference(rounded, other) < 1e-5
    search = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, solver="gradient_descent", **QUIET)
    same = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, **QUIET)
    scores, expected = (m.fit(DATA.X, DATA.labels).scores_ for m in (search, same))
    for label in expected:
        assert_allclose(scores[label], expected[label], atol=1e-2)


def test_sparse_features() -> None:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((400, 30)) < 0.1, rng.standard_normal((400, 30)), 0.0)
    y = (X[:, 0] - X[:, 1] + 0.5 * rng.standard_normal(400) > 0).astype(int)
    for solver in ("gradient_descent", GradientDescent(Nesterov(0.5, 0.5))):
        model = fitted(LogisticRegression(), csr_array(X), y, solver=solver, tol=1e-13)
        assert difference(model, reference(LogisticRegression(), X, y)) < 1e-4


@pytest.mark.parametrize("solver", SOLVERS[:2], ids=repr)
def test_an_l1_penalty(solver: Any) -> None:
    X = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0)
    other = sk.LogisticRegression(C=0.05, l1_ratio=1.0, solver="saga", tol=1e-14, max_iter=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.fit(X, DATA.labels)
    cut = chunked(X, 5), chunked(DATA.labels, 5)
    model = fitted(LogisticRegression(C=0.05, l1_ratio=1.0), *cut, solver=solver, tol=1e-13)
    assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-9)
    assert ((model.coef_ == 0.0) == (other.coef_ == 0.0)).all()
    positive = fitted(Ridge(positive=True), X, DATA.reals, solver=solver, tol=1e-13)
    expected = sk.Ridge(positive=True, tol=1e-12, max_iter=100_000).fit(X, DATA.reals)
    assert_allclose(positive.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    assert (positive.coef_ >= 0.0).all()


# ------------------------------------------------------------------------------- bad learning rates


@pytest.mark.parametrize("solver", [GradientDescent(SGD(30.0)), GradientDescent(Momentum(5.0))], ids=repr)
def test_a_diverging_learning_rate_is_told_and_the_best_model_kept(solver: Any, backend: str) -> None:
    cut = chunked(DATA.X, 5), chunked(DATA.counts, 5)
    model = PoissonRegressor(solver=solver, **QUIET)
    with pytest.warns(ConvergenceWarning, match="is too large: after .* The best model so far is kept"):
        model.fit(*cut)
    assert model.n_passes_ < 100 and np.isfinite(model.coef_).all()
    null = PoissonRegressor(solver="newton", max_iter=1, verbose=0)
    with pytest.warns(ConvergenceWarning, match="did not reach"):
        null.fit(*cut)
    assert min(row["objective"] for row in model.history_) == model.history_[-1]["objective"]
    assert model.history_[-1]["objective"] <= null.history_[0]["objective"] * (1 + 1e-9)
    assert model.predict(DATA.X).shape == (600,)


def test_going_in_circles_is_told() -> None:
    labels = (DATA.X[:, 0] > np.quantile(DATA.X[:, 0], 0.98)) ^ (np.arange(len(DATA.X)) % 97 == 0)
    model = LogisticRegression(C=1e3, solver=GradientDescent(SGD(8.0)), max_iter=60, verbose=0)
    with pytest.warns(ConvergenceWarning) as told:
        model.fit(DATA.X, labels)
    texts = [str(warning.message) for warning in told]
    assert any("has not fallen for" in text or "is too large: after" in text for text in texts), texts


def test_too_few_passes_are_told() -> None:
    model = LogisticRegression(solver=GradientDescent(Adam()), max_iter=5, verbose=0)
    with pytest.warns(ConvergenceWarning, match="did not reach tol=1e-06 within max_iter=5 passes"):
        model.fit(DATA.X, DATA.labels)
    assert model.n_passes_ == 5 and 0.0 < model.gap_ <= 1.0


# -------------------------------------------------------------------------------------- going on


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_fit_goes_on_to_the_same_bits(solver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daskml_dist.cluster.on_dask import OnDask

    given = chunked(DATA.X, 5), chunked(DATA.counts, 5)
    model = PoissonRegressor(alpha=1e-3, solver=solver, tol=1e-8)
    if solver != "gradient_descent":
        model = LogisticRegression(C=10.0, solver=solver, tol=1e-8)
        given = chunked(DATA.X, 5), chunked(DATA.labels, 5)
    whole = fitted(model, *given)
    asked = 0
    with monkeypatch.context() as patched:
        for hands in (InProcess, OnDask):
            answer = hands.answer

            def interrupted(self: Any, question: Any, answer: Any = answer) -> Any:
                nonlocal asked
                asked += isinstance(question.kernel, Sweep)
                if asked > 4:
                    raise KeyboardInterrupt
                return answer(self, question)

            patched.setattr(hands, "answer", interrupted)
        cut_short = clone(model).set_params(**QUIET)
        if isinstance(cut_short, LogisticRegression):
            cut_short.set_params(checkpoint=str(tmp_path))
        with pytest.raises(KeyboardInterrupt):
            cut_short.fit(*given)
    assert cut_short.n_passes_ == 4 and np.isfinite(cut_short.coef_).all() and np.isfinite(cut_short.gap_)
    if isinstance(model, LogisticRegression):
        resumed = fitted(model, *given, checkpoint=str(tmp_path))
        assert theta_of(resumed).tobytes() == theta_of(whole).tobytes()
        assert (resumed.n_passes_, resumed.gap_) == (whole.n_passes_, whole.gap_)


def test_the_state_of_another_rule_is_refused(tmp_path: Path) -> None:
    kept = {"checkpoint": str(tmp_path)}
    fitted(LogisticRegression(), DATA.X, DATA.labels, solver="gradient_descent", **kept)
    with pytest.raises(CheckpointInvalid, match="solver was .*barzilai_borwein.* and is .*SGD"):
        fitted(LogisticRegression(), DATA.X, DATA.labels, solver=GradientDescent(SGD(0.5)), **kept)


def test_a_warm_start_takes_one_pass() -> None:
    model = LogisticRegression(solver="gradient_descent", tol=1e-10, warm_start=True, **QUIET)
    model.fit(DATA.X, DATA.labels)
    model.set_params(tol=1e-9).fit(DATA.X, DATA.labels)
    assert model.n_passes_ == 1


# ------------------------------------------------------------------------------ as a parameter


def test_a_solver_is_a_parameter() -> None:
    solver = GradientDescent(SGD(InverseScaling(0.5, 0.1)))
    model = LogisticRegression(solver=solver, C=3.0)
    assert clone(model).solver is solver and model.get_params()["solver"] is solver
    assert "GradientDescent(step=SGD(" in repr(model)


def test_a_saved_model_keeps_the_name_of_its_solver(tmp_path: Path) -> None:
    model = fitted(LogisticRegression(), DATA.X, DATA.labels, solver=GradientDescent("backtracking"))
    save(model, str(tmp_path / "model"))
    again = load(str(tmp_path / "model"))
    assert again.solver == "gradient_descent"
    assert again.coef_.tobytes() == model.coef_.tobytes()


def test_what_it_cannot_do_is_refused_before_data_are_touched() -> None:
    broken = np.full((3, 2), np.nan)
    with pytest.raises(UnsupportedCombination, match="SGD.*needs a smooth penalty.*'elastic net'"):
        fitted(LogisticRegression(l1_ratio=1.0), broken, [0, 1, 1], solver=GradientDescent(SGD(1.0)))
    with pytest.raises(UnsupportedParameter, match="solver='gradient-descent' was given; expected one of"):
        fitted(LogisticRegression(), broken, [0, 1, 1], solver="gradient-descent")
    with pytest.raises(UnsupportedParameter, match="solver=SGD.* was given; expected one of .*or a solver"):
        fitted(LogisticRegression(), broken, [0, 1, 1], solver=SGD(1.0))
    assert "solver" not in LinearSVC().get_params()
