"""Descent by surrogates: where a random sample lacks the rows that matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskml_dist.kernels import Question, Sweep, SweptSample, answer
from daskml_dist.losses import Logistic, Loss, Poisson
from daskml_dist.penalties import L2
from daskml_dist.solvers import Problem, ProgressiveNewton, progressive_newton
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.surrogate import Surrogate, SurrogateAnswer
from daskml_dist.types import Chunk
from tests.solvers.problems import Talk, Task, hold, minimum

ROWS, COMMON, RARE = 8000, 6, 30


def rare_columns(loss: Loss, *, weighted: bool = False, **settings: Any) -> Task:
    """Thirty columns that are zero but for six rows each, and next to no penalty on their coefficients."""
    rng = np.random.default_rng(4)
    X = np.zeros((ROWS, COMMON + RARE))
    X[:, :COMMON] = rng.standard_normal((ROWS, COMMON))
    for column in range(COMMON, COMMON + RARE):
        X[rng.choice(ROWS, 6, replace=False), column] = 200.0 * rng.random(6)
    z = 2.0 * X[:, :COMMON].sum(axis=1) + 0.02 * X[:, COMMON:].sum(axis=1) - 2.0
    if loss.name == "poisson":
        y = rng.poisson(np.exp(np.clip(0.3 * z, -5, 3))).astype(float)
    else:
        y = (rng.random(ROWS) < 1 / (1 + np.exp(-z))).astype(float)
    weight = rng.integers(0, 3, ROWS).astype(float) if weighted else None
    s = np.ones(ROWS) if weight is None else weight
    problem = Problem(
        loss=loss,
        penalty=L2(1e-6),
        intercept=True,
        rows=ROWS,
        features=COMMON + RARE,
        targets=1,
        weight_sum=float(s.sum()),
        events=int((y > 0).sum()),
        mean=np.array([s @ y / s.sum()]),
        **settings,
    )
    return Task(problem, X, y, weight)


@pytest.fixture(autouse=True)
def dear_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the data were large, so that a Hessian is not for nothing."""
    monkeypatch.setattr(progressive_newton, "CHEAP_PARAMETERS", 0)
    monkeypatch.setattr(progressive_newton, "CHEAP_FLOPS", 0.0)


def solve(t: Task) -> Talk:
    return hold(ProgressiveNewton().solve(t.problem), t.chunks)


def passes(t: Task) -> int:
    return solve(t).solution.state.passes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_they_find_the_minimum_and_know_how_near_they_are(loss: Loss, weighted: bool) -> None:
    t = rare_columns(loss, weighted=weighted)
    talk, least = solve(t), minimum(t)
    assert talk.names[0] == "Sample" and set(talk.names[1:]) == {"LeverageSample"}
    assert talk.solution.converged
    excess = t.objective(talk.point) / least - 1.0
    assert excess < t.problem.tol
    for turn in talk.turns[2:-1]:
        known = turn.state.progress
        assert known is not None
        true = known.objective / least - 1.0
        assert true / 5 < known.gap < 5 * true


def test_they_take_fewer_passes_than_newtons_method(monkeypatch: pytest.MonkeyPatch) -> None:
    t = rare_columns(Logistic())
    few = passes(t)
    monkeypatch.setattr(progressive_newton, "DOUBTFUL", np.inf)
    assert few <= 5 and few + 3 <= passes(t)


def test_the_gap_is_proven_where_that_is_asked_for() -> None:
    t = rare_columns(Logistic(), certify=True)
    talk = solve(t)
    progress = talk.solution.state.progress
    assert talk.solution.converged and progress is not None
    assert progress.gap_kind == "self-concordance"
    assert t.objective(talk.point) / minimum(t) - 1.0 <= progress.gap + 1e-13


def test_a_fit_goes_on_from_any_state() -> None:
    t = rare_columns(Logistic())
    least = minimum(t)
    for turn in solve(t).turns[2:]:
        talk = hold(ProgressiveNewton().solve(t.problem, turn.state), t.chunks)
        assert talk.names[0] == "LeverageSample" and talk.solution.converged
        assert t.objective(talk.point) / least - 1.0 < t.problem.tol


@pytest.mark.parametrize("most", [1, 2, 3])
def test_they_read_no_more_often_than_they_may(most: int) -> None:
    t = rare_columns(Logistic(), max_passes=most, tol=1e-15)
    talk = solve(t)
    assert talk.solution.state.passes == most and not talk.solution.converged
    again = hold(ProgressiveNewton().solve(t.problem, talk.solution.state), [])
    assert again.turns == []


@pytest.mark.parametrize("scale", [-1.0, 0.0, 40.0, np.nan])
def test_newtons_method_takes_over_where_surrogates_mislead(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that lead uphill, nowhere, hardly anywhere, or too far."""
    t = rare_columns(Logistic())
    honest = Surrogate.__call__

    def misled(self: Surrogate, found: SweptSample) -> SurrogateAnswer:
        told = honest(self, found)
        return replace(told, step=scale * told.step)

    monkeypatch.setattr(Surrogate, "__call__", misled)
    talk = solve(t)
    assert ("Sweep" in talk.names) == (scale != 40.0)  # a shorter trial step saves that one
    assert talk.solution.converged
    assert t.objective(talk.point) / minimum(t) - 1.0 < t.problem.tol


# -------------------------------------------------------------------------------- the model


def swept(t: Task, at: Any, rows: slice, *, hessian: bool) -> SweptSample:
    """All rows swept, and some of them as the sample."""
    whole = Chunk(0, t.X, t.y)
    told = answer(Question(Sweep(t.problem.loss, at, hessian=hessian)), [whole], 1)
    return SweptSample(told, Chunk(0, t.X[rows], t.y[rows]))


def start_of(t: Task) -> Any:
    return solve(t).kernels[1].sweep.point


def test_with_all_rows_in_the_sample_one_surrogate_is_enough() -> None:
    t = rare_columns(Logistic())
    at = start_of(t)
    for hessian in (False, True):
        found = Surrogate(t.problem, at)(swept(t, at, slice(None), hessian=hessian))
        end = at.at(at.theta + found.step)
        assert t.objective(end) / minimum(t) - 1.0 < 1e-4
        assert_allclose(found.decrease, t.objective(at) - t.objective(end), rtol=1e-9)


def test_a_surrogate_touches_the_objective_of_all_rows() -> None:
    """Its minimum is the point itself just where that is the minimum over all rows."""
    t = rare_columns(Logistic(), tol=1e-13)
    least = solve(t).point
    for hessian in (False, True):
        found = Surrogate(t.problem, least)(swept(t, least, slice(0, ROWS, 2), hessian=hessian))
        assert abs(found.decrease) < 1e-12 * t.objective(least)


def test_near_the_minimum_the_hessian_of_all_rows_makes_it_better() -> None:
    t = rare_columns(Logistic(), tol=1e-12)
    state = solve(t).turns[-1].state
    assert state.point is not None

    def excess(hessian: bool) -> float:
        at = state.point
        found = Surrogate(t.problem, at)(swept(t, at, slice(0, ROWS, 2), hessian=hessian))
        assert at is not None
        return t.objective(at.at(at.theta + found.step)) - minimum(t)

    assert excess(True) < 0.1 * excess(False)


def test_a_surrogate_that_falls_below_zero_is_left() -> None:
    """A gradient that the sample contradicts would lead it down for ever."""
    t = rare_columns(Logistic())
    at = start_of(t)
    honest = swept(t, at, slice(0, ROWS, 2), hessian=False)
    steep = replace(honest.answer, gradient=honest.answer.gradient - 50.0 * ROWS)
    found = Surrogate(t.problem, at)(SweptSample(steep, honest.sample))
    plain = Evaluation.on(t.problem, at, honest.sample).value
    end = Evaluation.on(t.problem, at.at(at.theta + found.step), honest.sample).value
    assert 0.0 < end < plain
    assert_allclose(found.decrease, plain - end, rtol=1e-9)


def test_where_float64_knows_no_better_step_the_gap_is_still_told() -> None:
    t = rare_columns(Logistic(), tol=1e-13)
    least = solve(t).point
    honest = swept(t, least, slice(None), hessian=True)
    found = Surrogate(t.problem, least)(honest)
    assert 0.0 <= found.decrease < 1e-13 * t.objective(least)
