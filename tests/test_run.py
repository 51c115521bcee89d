"""Trainings in the background: the bits of ``fit``, and a model at any time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from distributed import Client, LocalCluster
from numpy.testing import assert_array_equal

import daskml_dist
from daskml_dist.errors import (
    ClusterGaveUp,
    FitStopped,
    InvalidData,
    NonFiniteData,
    UnsupportedCombination,
    UnsupportedParameter,
)
from daskml_dist.linear_model import (
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    MinimaxClassifier,
    SGDClassifier,
)
from daskml_dist.optimizers import SGD, Schedule
from daskml_dist.solvers import GradientDescent
from tests.linear_model.problems import chunked, data

DATA = data()
SEVERAL = np.digitize(DATA.reals, np.quantile(DATA.reals, [0.3, 0.7]))


def _lbfgs(**parameters: Any) -> LogisticRegression:
    """A fit of many passes."""
    return LogisticRegression(C=100.0, tol=1e-9, solver="lbfgs", verbose=0, **parameters)


def _train(model: Any, y: Any = None, X: Any = DATA.X) -> daskml_dist.Run:
    y = DATA.target(type(model)) if y is None else y
    return daskml_dist.train(model, chunked(X, 5), chunked(y, 5))


def _until(reached: Callable[[], Any]) -> None:
    end = time.monotonic() + 60.0
    while not reached():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.005)


@dataclass
class AtPass:
    """A callback of scikit-learn that does something in the thread of the fit after a pass."""

    number: int
    do: Callable[[], Any]
    passed: int = 0

    def setup(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        self.passed += context.task_name == "pass"
        return context.task_name == "pass" and self.passed == self.number and bool(self.do())

    def teardown(self, estimator: Any, context: Any) -> None: ...


def _begun_at(
    model: Any, number: int, do: Callable[[daskml_dist.Run], Any], y: Any = None, X: Any = DATA.X
) -> daskml_dist.Run:
    """A run to which something is done after a pass."""
    runs: list[daskml_dist.Run] = []

    def act() -> None:
        _until(lambda: runs)
        do(runs[0])

    runs.append(_train(model.set_callbacks(AtPass(number, act)), y, X))
    return runs[0]


@pytest.mark.parametrize("model", [LogisticRegression(verbose=0), _lbfgs()], ids=["newton", "lbfgs"])
def test_a_run_has_the_bits_of_a_fit(backend: str, model: Any) -> None:
    run = _train(model)
    found = run.result(60.0)
    assert found is model and run.model is model and run.done() and run.status == "finished"
    same = type(model)(**model.get_params()).fit(chunked(DATA.X, 5), chunked(DATA.target(type(model)), 5))
    assert_array_equal(found.coef_, same.coef_)
    assert [row["objective"] for row in run.history] == [row["objective"] for row in same.history_]
    assert run.exception() is None


def test_a_model_at_any_time(backend: str) -> None:
    whole = _lbfgs().fit(chunked(DATA.X, 5), chunked(DATA.target(LogisticRegression), 5))
    run = _begun_at(_lbfgs(), 4, lambda run: run.pause())
    _until(lambda: run.status == "paused" and run.model is not None and run.model.n_passes_ == 4)
    early = run.model
    assert not run.done()
    assert early.predict(DATA.X).shape == (len(DATA.X),)
    assert early.gap_ > whole.gap_ and len(run.history) == len(early.history_)
    assert early.history_[-1]["objective"] == next(
        row["objective"] for row in whole.history_ if row["passes"] == early.history_[-1]["passes"]
    )
    assert "paused, 4 passes, gap" in repr(run) and "paused" in run._repr_html_()
    time.sleep(0.2)
    assert run.model.n_passes_ == 4  # nothing goes on
    with pytest.raises(TimeoutError):
        run.result(0.01)
    run.resume()
    assert_array_equal(run.result(60.0).coef_, whole.coef_)


def test_stopped_it_keeps_the_best_model(backend: str) -> None:
    run = _begun_at(_lbfgs(), 3, lambda run: run.stop())
    model = run.result(60.0)
    assert run.status == "stopped" and model.n_passes_ == 3
    assert_array_equal(model.coef_, run.model.coef_)
    assert model.score(DATA.X, DATA.target(LogisticRegression)) > 0.5
    values = [row["objective"] for row in model.history_]
    assert len(values) <= 3 and values[-1] == min(values)


def test_a_pause_ends_where_it_is_stopped() -> None:
    run = _begun_at(_lbfgs(), 2, lambda run: run.pause())
    _until(lambda: run.status == "paused" and run.model is not None)
    run.stop()
    assert run.result(60.0).n_passes_ == 2


def test_stopped_before_there_is_a_model() -> None:
    class Waits:
        """Labels that stop the run before they are read."""

        def __array__(self, *_: Any, **__: Any) -> Any:
            _until(lambda: runs)
            runs[0].stop()
            return DATA.target(LogisticRegression)

    runs: list[daskml_dist.Run] = []
    runs.append(daskml_dist.train(_lbfgs(), DATA.X, Waits()))
    with pytest.raises(FitStopped, match="before it had a model"):
        runs[0].result(60.0)
    assert runs[0].status == "failed" and runs[0].model is None and runs[0].history == []


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LogisticRegressionCV(Cs=3, cv=3, solver="lbfgs", verbose=0), None),
        (LinearSVC(verbose=0), SEVERAL),
        (LogisticRegression(solver="model-parallel", verbose=0), None),
    ],
    ids=["many models", "many classes", "model-parallel"],
)
def test_trainings_without_a_model_before_their_end_say_so(model: Any, y: Any) -> None:
    found = []

    def stop(run: daskml_dist.Run) -> None:
        found.append(run.model)
        run.stop()

    run = _begun_at(model, 1, stop, DATA.target(LogisticRegression) if y is None else y)
    with pytest.raises(FitStopped, match="has no model before its end"):
        run.result(60.0)
    assert found == [None]


@dataclass(frozen=True)
class Halved(Schedule):
    """1, and the half of it from a step on."""

    first: int
    name: ClassVar[str] = "halved"

    def rate(self, step: int, numbers: Any) -> float:
        return 1.0 if step < self.first else 0.5


def test_a_rate_counts_from_the_next_step_on(backend: str) -> None:
    model = LogisticRegression(C=100.0, tol=1e-9, max_iter=30, solver=GradientDescent(SGD(1.0)), verbose=0)
    run = _begun_at(model, 5, lambda run: run.rate(0.5))
    with pytest.warns(UserWarning, match="did not reach"):
        found = run.result(60.0)
    passes = [row["passes"] for row in found.history_]
    assert passes == list(range(1, 31))  # none twice
    # the step that follows the fifth pass was already made, with the rate of its time
    twin = type(model)(**{**model.get_params(), "solver": GradientDescent(SGD(Halved(6)))})
    with pytest.warns(UserWarning, match="did not reach"):
        twin.fit(chunked(DATA.X, 5), chunked(DATA.target(LogisticRegression), 5))
    assert_array_equal(found.coef_, twin.coef_)


every_strategy = pytest.mark.parametrize(
    "how",
    [
        {"strategy": "synchronous"},
        {"strategy": "model_averaging"},
        {"strategy": "parameter_server", "consistency": "bulk_synchronous"},
    ],
    ids=lambda how: how["strategy"],
)


@every_strategy
def test_a_tiny_rate_holds_the_model_where_it_is(how: dict[str, str]) -> None:
    X, y = (DATA.X - DATA.X.mean(0)) / DATA.X.std(0), DATA.labels
    settings: dict[str, Any] = {"learning_rate": "constant", "eta0": 0.05, "tol": None, **how}

    def model(epochs: int) -> SGDClassifier:
        return SGDClassifier(max_iter=epochs, verbose=0, **settings)

    held = _begun_at(model(3), 1, lambda run: run.rate(1e-9), y, X).result(60.0)
    once, free = model(1).fit(chunked(X, 5), chunked(y, 5)), model(3).fit(chunked(X, 5), chunked(y, 5))
    assert np.linalg.norm(held.coef_ - once.coef_) < 1e-6 * np.linalg.norm(free.coef_ - once.coef_)


@every_strategy
def test_automatic_rates_are_multiplied(how: dict[str, str]) -> None:
    """Without a rule of one's own, means of iterates are the model, and move on."""
    X, y = (DATA.X - DATA.X.mean(0)) / DATA.X.std(0), DATA.labels

    def model() -> SGDClassifier:
        return SGDClassifier(max_iter=3, tol=None, average=False, verbose=0, **how)

    def coef(factor: float) -> Any:
        return _begun_at(model(), 1, lambda run: run.rate(factor), y, X).result(60.0).coef_

    free = model().fit(chunked(X, 5), chunked(y, 5)).coef_
    assert_array_equal(coef(1.0), free)
    assert 0.0 < np.linalg.norm(coef(0.5) - free) < 0.1 * np.linalg.norm(free)


def test_a_solver_that_finds_its_steps_has_no_rate() -> None:
    found: list[Exception] = []

    def steer(run: daskml_dist.Run) -> None:
        try:
            run.rate(2.0)
        except UnsupportedCombination as error:
            found.append(error)

    _begun_at(_lbfgs(), 2, steer).result(60.0)
    assert len(found) == 1


def test_what_a_fit_raises_is_raised_by_its_result() -> None:
    X = np.array(DATA.X)
    X[3, 1] = np.nan
    run = daskml_dist.train(_lbfgs(), X, DATA.target(LogisticRegression))
    with pytest.raises(NonFiniteData):
        run.result(60.0)
    assert run.status == "failed" and isinstance(run.exception(), InvalidData)


def test_the_best_model_survives_its_client() -> None:
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        client = Client(cluster)
        run = _begun_at(_lbfgs(), 4, lambda run: run.pause())
        _until(lambda: run.status == "paused" and run.model is not None)
        best = run.model
        client.close()
        run.resume()
        with pytest.raises(ClusterGaveUp, match="client was closed, or its scheduler"):
            run.result(60.0)
    assert "failed" in repr(run)
    assert_array_equal(run.model.coef_, best.coef_)
    assert run.history == best.history_


def test_arguments_reach_the_fit() -> None:
    weights = np.linspace(0.5, 2.0, len(DATA.X))
    groups = np.arange(len(DATA.X)) % 3
    y = DATA.target(LogisticRegression)
    run = daskml_dist.train(_lbfgs(), DATA.X, y, sample_weight=weights)
    assert_array_equal(run.result(60.0).coef_, _lbfgs().fit(DATA.X, y, sample_weight=weights).coef_)
    worst = daskml_dist.train(MinimaxClassifier(verbose=0), DATA.X, y, groups=groups).result(60.0)
    assert_array_equal(worst.coef_, MinimaxClassifier(verbose=0).fit(DATA.X, y, groups=groups).coef_)
    with pytest.raises(TypeError, match="unknown"):
        daskml_dist.train(_lbfgs(), DATA.X, y, unknown=1).result(60.0)


def test_awaiting_and_no_longer_awaiting() -> None:
    async def wait() -> Any:
        paused = _begun_at(_lbfgs(), 2, lambda run: run.pause())
        _until(lambda: paused.status == "paused")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(paused, 0.05)
        paused.resume()
        return await paused, paused

    model, run = asyncio.run(wait())
    assert model is run.result() and run.status == "finished"


def test_two_runs_at_once(client: Client) -> None:
    y = DATA.target(LogisticRegression)
    models = [LogisticRegression(C=0.1, solver=name, verbose=0) for name in ("newton", "lbfgs", "newton-cg")]
    runs = [_train(type(model)(**model.get_params())) for model in models]
    for run, model in zip(runs, models, strict=True):
        assert_array_equal(run.result(60.0).coef_, model.fit(chunked(DATA.X, 5), chunked(y, 5)).coef_)


@pytest.mark.parametrize("what", [object(), LogisticRegression, "LogisticRegression"])
def test_what_is_no_estimator_is_refused(what: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="expected an estimator of daskml_dist.linear_model"):
        daskml_dist.train(what, DATA.X, DATA.labels)
