"""What each solver asks for, in which order, and what it does with bad news."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import eigh

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Glimpse, Point, Question, Sample, Sweep, SweepAnswer, answer
from daskml_dist.solvers import (
    LBFGS,
    Conversation,
    DampedNewton,
    LeastSquares,
    ProgressiveNewton,
    Solution,
    State,
    least_squares,
    progressive_newton,
)
from daskml_dist.solvers.descent import STALLED, TRIAL_STEPS, Evaluation, Policy, descend
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import Pilot, PilotAnswer
from tests.solvers.problems import FAMILIES, Talk, Task, hold, relative_excess, task


def only(names: list[str], kind: str) -> bool:
    return all(name == kind for name in names)


# ---------------------------------------------------------------------------- kinds of question


def test_progressive_newton_solves_a_sample_first() -> None:
    t = task("correlated", "logistic", "ridge")
    talk = hold(ProgressiveNewton().solve(t.problem), t.chunks)
    assert talk.names[0] == "Sample" and only(talk.names[1:], "Sweep")
    assert isinstance(talk.turns[0].question.then, Pilot)
    assert all(kernel.hessian and kernel.factor is not None for kernel in talk.kernels[1:])


def test_progressive_newton_asks_for_few_hessians_where_they_are_dear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progressive_newton, "CHEAP_PARAMETERS", 0)
    monkeypatch.setattr(progressive_newton, "CHEAP_FLOPS", 0.0)
    t = task("correlated", "logistic", "ridge", n=20_000)
    talk = hold(ProgressiveNewton().solve(t.problem), t.chunks)
    assert not any(kernel.hessian for kernel in talk.kernels[1:])
    assert talk.solution.state.progress is not None
    assert talk.solution.state.progress.gap_kind == "estimate"
    proven = hold(ProgressiveNewton().solve(replace(t.problem, certify=True)), t.chunks)
    assert proven.solution.state.progress is not None
    assert proven.solution.state.progress.gap_kind == "self-concordance"


def test_a_small_sample_is_known_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sample predicts many passes, the Hessian of all rows is asked for."""
    monkeypatch.setattr(progressive_newton, "CHEAP_PARAMETERS", 0)
    monkeypatch.setattr(progressive_newton, "CHEAP_FLOPS", 0.0)
    t = task("heavy-tailed", "poisson", "ridge", n=900, p=20)
    talk = hold(ProgressiveNewton().solve(t.problem), t.chunks)
    assert any(kernel.hessian for kernel in talk.kernels[1:])


def test_newton_has_a_hessian_in_each_pass_and_no_sample() -> None:
    t = task("correlated", "poisson", "none")
    talk = hold(DampedNewton().solve(t.problem), t.chunks)
    assert talk.names[0] == "Glimpse" and only(talk.names[1:], "Sweep")
    assert all(kernel.hessian for kernel in talk.kernels[1:])


def test_lbfgs_never_asks_for_anything_as_large_as_a_hessian() -> None:
    t = task("correlated", "poisson", "none")
    talk = hold(LBFGS().solve(t.problem), t.chunks)
    assert talk.names[0] == "Sample" and only(talk.names[1:], "Sweep")
    assert not any(kernel.hessian or kernel.factor is not None for kernel in talk.kernels[1:])


def test_least_squares_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small = task("scaled", "squared", "ridge")
    assert hold(LeastSquares().solve(small.problem), small.chunks).names == ["Glimpse", "TSQR"]
    raw = task("scaled", "squared", "ridge", intercept=False)
    assert hold(LeastSquares().solve(raw.problem), raw.chunks).names == ["TSQR"]
    monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    assert hold(LeastSquares().solve(small.problem), small.chunks).names == ["Glimpse", "Moments"]


@pytest.mark.parametrize("solver", [ProgressiveNewton, LBFGS, DampedNewton, LeastSquares])
def test_a_sample_of_streamed_data_costs_a_pass(solver: Any) -> None:
    t = task("iid", "squared", "ridge", streamed=True)
    talk = hold(solver().solve(t.problem), t.chunks)
    reads_x = [kernel.reads_features and kernel.streams_only is None for kernel in talk.kernels]
    assert talk.solution.state.passes == sum(reads_x)


# ---------------------------------------------------------------------------- numbers of passes


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("family", FAMILIES)
def test_three_passes_where_there_are_a_thousand_rows_a_feature(family: str, loss: str) -> None:
    t = task(family, loss, "ridge", n=20_000, p=20)
    talk = hold(ProgressiveNewton().solve(t.problem), t.chunks)
    assert talk.solution.converged
    assert talk.solution.state.passes <= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_one_pass_for_least_squares(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    t = task(family, "squared", "ridge", n=20_000, p=20)
    talk = hold(LeastSquares().solve(t.problem), t.chunks)
    assert talk.solution.converged and talk.solution.state.passes == 1


# --------------------------------------------------------------------------------- the sample


def test_the_sample_is_large_enough_and_events_are_half_of_it() -> None:
    t = task("imbalanced", "logistic", "ridge", n=100_000, p=20)
    asked = progressive_newton.sample_for(t.problem)
    found = answer(hold_first(ProgressiveNewton().solve(t.problem)), t.chunks, 7).point
    assert isinstance(asked, Sample) and found is not None
    events, others = t.problem.events, t.problem.rows - t.problem.events
    expected = asked.event_rate * events + asked.other_rate * others
    assert 15_000 < expected <= 25_000
    assert asked.event_rate == 1.0  # all of the rare ones


@pytest.mark.parametrize("rows", [50, 900, 5000, 10**7])
@pytest.mark.parametrize("share", [0.0, 1e-3, 0.5, 0.999, 1.0])
def test_rates_are_rates(rows: int, share: float) -> None:
    t = task("iid", "logistic", "ridge")
    asked = progressive_newton.sample_for(replace(t.problem, rows=rows, events=int(share * rows)))
    assert 0.0 <= asked.event_rate <= 1.0 and 0.0 <= asked.other_rate <= 1.0
    expected = asked.event_rate * int(share * rows) + asked.other_rate * (rows - int(share * rows))
    least = 40 * t.problem.parameters
    assert 0.999 * min(rows, least) <= expected <= max(rows / 4 + 1, 1.02 * least)


def hold_first(conversation: Conversation) -> Any:
    return next(conversation).question


def test_the_pilot_is_near_the_minimum_and_knows_its_hessian() -> None:
    t = task("scaled", "logistic", "ridge", n=20_000)
    pilot: PilotAnswer = answer(hold_first(ProgressiveNewton().solve(t.problem)), t.chunks, 7)
    assert relative_excess(t, pilot.point, hold_to_the_end(t)) < 5e-3
    swept = answer(Question(Sweep(t.problem.loss, pilot.point, hessian=True)), t.chunks, 7)
    exact = Evaluation.of(t.problem, pilot.point, swept).hessian
    assert exact is not None
    stretch = eigh(pilot.hessian, exact, eigvals_only=True)
    assert 0.8 < stretch.min() and stretch.max() < 1.2
    error = np.mean(np.square(stretch - 1.0))
    assert error / 4 < pilot.contraction < error * 4


def hold_to_the_end(t: Task) -> float:
    return t.objective(hold(DampedNewton().solve(replace(t.problem, tol=1e-13)), t.chunks).point)


# ------------------------------------------------------------------------------------ bad news


def far_from_home(t: Task, metric: float) -> Talk:
    """A descent from the constant model in a metric that is wrong by a factor."""
    p = t.problem.features
    hessian = metric * np.diag([*t.X.var(axis=0), 1.0])
    start = Point(np.zeros((1, p)), t.problem.loss.link(t.problem.mean), t.X.mean(axis=0), True)
    return hold(descend(t.problem, Policy("never"), Metric.of(hessian), State(), start), t.chunks)


def test_a_step_that_is_too_long_is_taken_back() -> None:
    """A metric 1000 times too flat: steps overshoot, trial steps on the same line are asked for, and used."""
    t = task("iid", "poisson", "ridge", tol=1e-9)
    talk = far_from_home(t, 1e-3)
    assert talk.solution.converged
    assert relative_excess(t, talk.point, hold_to_the_end(t)) < 1e-8
    kernels: list[Sweep] = list(talk.kernels)
    first, second, third = kernels[:3]
    start, step = first.point.theta[0], second.point.theta[0] - first.point.theta[0]
    shortened = (third.point.theta[0] - start) / step
    assert_allclose(third.point.theta[0] - start, shortened[0] * step, atol=1e-9 * np.abs(step).max())
    assert 0.0 < shortened[0] < 1.0
    assert third.direction is not None and third.steps == TRIAL_STEPS
    assert_allclose(third.direction[0], shortened[0] * step, rtol=1e-9, atol=1e-9)
    assert talk.turns[1].state.point is first.point or talk.turns[2].state == talk.turns[1].state


def test_the_best_trial_step_is_taken() -> None:
    """Answers are made up: a full step that fails, then trials of which a quarter is best."""
    t = task("iid", "logistic", "ridge")
    p = t.problem.features
    start = Point(np.zeros((1, p)), np.zeros(1), np.zeros(p), True)
    talk = descend(t.problem, Policy("never", 1.0), Metric.of(np.eye(p + 1)), State(), start)
    slope = np.ones((1, p + 1))

    def told(value: float, gradient: Any, trials: list[float]) -> SweepAnswer:
        sums = np.array([100 * value]), 100 * gradient, 100 * np.array([trials])
        return SweepAnswer(100, 100.0, *sums, None, None)

    next(talk)
    turn = talk.send(told(1.0, slope, []))
    full: Sweep = turn.question.kernel  # type: ignore[assignment]
    assert_allclose(full.point.theta, -slope)
    turn = talk.send(told(9.0, -slope, [float("nan")] * len(full.steps)))
    half: Sweep = turn.question.kernel  # type: ignore[assignment]
    t1 = float(-half.point.theta[0, 0])
    assert 0.1 <= t1 <= 0.6
    turn = talk.send(told(8.0, -slope, [0.9, 0.8, 0.5, 0.8, 20.0]))
    quarter: Sweep = turn.question.kernel  # type: ignore[assignment]
    assert_allclose(quarter.point.theta, -0.25 * t1 * slope)


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e300])
def test_a_descent_that_finds_nothing_lower_gives_up(value: float) -> None:
    t = task("iid", "logistic", "ridge")
    p = t.problem.features
    start = Point(np.zeros((1, p)), np.zeros(1), np.zeros(p), True)
    talk = descend(t.problem, Policy("never", 1.0), Metric.of(np.eye(p + 1)), State(), start)
    turn, asked, gradient = next(talk), 0, np.ones((1, p + 1))
    try:
        while True:
            found = np.array([100.0 if asked == 0 else value])
            trials = np.full((1, len(turn.question.kernel.steps)), value)  # type: ignore[attr-defined]
            turn = talk.send(SweepAnswer(100, 100.0, found, 100 * gradient, trials, None, None))
            asked += 1
    except StopIteration as stop:
        solution: Solution = stop.value
    assert not solution.converged and solution.notes == (STALLED,)
    assert asked == 31
    assert_array_equal(solution.state.point.theta, start.theta)  # type: ignore[union-attr]


def test_a_start_that_overflows_retreats_to_the_constant_model() -> None:
    t = task("iid", "poisson", "ridge")
    start = Point(np.full((1, t.problem.features), 1e4), np.zeros(1), np.zeros(t.problem.features), True)
    talk = hold(DampedNewton().solve(replace(t.problem, start=start)), t.chunks)
    assert talk.solution.converged
    assert not talk.kernels[2].point.w.any()  # type: ignore[attr-defined]
    assert relative_excess(t, talk.point, hold_to_the_end(t)) < 1e-6


def test_data_that_overflow_at_once_are_refused() -> None:
    t = task("iid", "squared", "ridge")
    huge = replace(t, y=np.full(len(t.y), 1e200), problem=replace(t.problem, mean=np.zeros(1)))
    with pytest.raises(InvalidData, match="overflows float64 for the constant model"):
        hold(DampedNewton().solve(huge.problem), huge.chunks)


def test_separated_classes_are_told() -> None:
    t = task("iid", "logistic", "none")
    split = replace(t, y=(t.X[:, 0] > 0).astype(float))
    told = {"mean": np.array([split.y.mean()]), "events": int(split.y.sum())}
    split = replace(split, problem=replace(t.problem, **told))
    for solver in (DampedNewton(), ProgressiveNewton(), LBFGS()):
        talk = hold(solver.solve(split.problem), split.chunks)
        assert any("no finite optimum" in note for note in talk.solution.notes), solver.name


# -------------------------------------------------------------------------------------- start


def test_a_start_is_where_the_first_pass_looks() -> None:
    t = task("shifted", "poisson", "ridge")
    p = t.problem.features
    start = Point(np.full((1, p), 1e-3), np.array([-8.0]), np.zeros(p), True)
    for solver in (ProgressiveNewton(), DampedNewton(), LBFGS()):
        kernels = hold(solver.solve(replace(t.problem, start=start)), t.chunks).kernels
        asked: Point = kernels[1].point  # type: ignore[attr-defined]
        assert_allclose(asked.w, start.w)
        assert_allclose(asked.raw_intercept, start.raw_intercept, rtol=1e-9)


def test_centred_coordinates_are_near_the_data() -> None:
    t = task("shifted", "poisson", "ridge")
    for solver in (ProgressiveNewton(), DampedNewton(), LBFGS()):
        kernels = hold(solver.solve(t.problem), t.chunks).kernels
        assert isinstance(kernels[0], Glimpse | Sample)
        assert np.abs(kernels[1].point.centre - 1e3).max() < 1.0  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------------- the lies


def test_a_solver_that_forgets_its_trials_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.solvers.descent.shorter", lambda start, here, trials: 0.5 * here.t)
    with pytest.raises(AssertionError):
        test_the_best_trial_step_is_taken()


def test_a_solver_that_stays_on_no_line_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.solvers.descent.TRIAL_STEPS", (-0.9,))
    with pytest.raises(AssertionError):
        test_a_step_that_is_too_long_is_taken_back()
