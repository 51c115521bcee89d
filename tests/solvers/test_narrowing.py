"""The solver for losses with kinks keeps the contract of solvers, and its bounds are bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import KinkSweep, Point, Question, Sweep, answer
from daskml_dist.losses import EpsilonInsensitive, Hinge, Logistic, Loss, Quantile, Smoothed
from daskml_dist.penalties import L2, ElasticNet, Penalty, Unpenalised
from daskml_dist.solvers import Narrowing, Problem, State, automatic, narrowing
from daskml_dist.solvers.lower_model import LowerModel
from daskml_dist.types import Chunk
from tests.solvers.problems import Talk, hold, states_with_a_point

N, P = 3000, 4
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N, P)) + 0.5
Y = X @ [1.0, -1.0, 0.5, 0.0] + RNG.standard_t(3, N)
CASES: dict[str, tuple[Loss, Penalty, bool]] = {
    "quantile": (Quantile(0.3), Unpenalised(), False),
    "quantile and lasso": (Quantile(0.3), ElasticNet(0.05), False),
    "hinge": (Hinge(), L2(1e-3), True),
    "absolute": (EpsilonInsensitive(0.2), L2(1e-3), True),
}
every_case = pytest.mark.parametrize("name", CASES)


def problem(name: str, **settings: Any) -> Problem:
    loss, penalty, penalised = CASES[name]
    y = target(name)
    given: dict[str, Any] = {"rows": N, "features": P, "targets": 1, "weight_sum": float(N), "events": 0}
    return Problem(
        loss, penalty, True, mean=np.array([y.mean()]), intercept_penalised=penalised, **given | settings
    )


def target(name: str) -> np.ndarray:
    return (Y > 0.0).astype(float) if name == "hinge" else Y


def chunks(name: str) -> list[Chunk]:
    cuts = [0, 100, 101, 1300, 2000, N]
    parts = zip(cuts[:-1], cuts[1:], strict=True)
    return [Chunk(i, X[a:b], target(name)[a:b]) for i, (a, b) in enumerate(parts)]


def value(name: str, at: Point) -> float:
    z = X @ at.w[0] + at.raw_intercept[0]
    given = problem(name)
    loss = float(given.loss.value(target(name), z).mean())
    return loss + float(given.penalty.value(at.theta[0, : given.penalised]))


@pytest.fixture(autouse=True)
def _small_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample first, and programs of 200 rows."""
    monkeypatch.setattr(narrowing, "NEAR_ROWS", 200)
    monkeypatch.setattr(narrowing, "NEAR_A_PARAMETER", 1)
    monkeypatch.setattr(narrowing, "SMALL_ELEMENTS", 0)


def solved(name: str, state: State | None = None, **settings: Any) -> Talk:
    return hold(Narrowing().solve(problem(name, **settings), state), chunks(name))


@every_case
def test_it_asks_for_a_sample_and_then_for_passes(name: str) -> None:
    talk = solved(name, tol=1e-9)
    assert talk.names == ["Sample"] + ["KinkSweep"] * talk.solution.state.passes
    assert [turn.state.passes for turn in talk.turns[1:]] == list(range(talk.solution.state.passes))
    assert talk.solution.converged
    progress = talk.solution.state.progress
    assert progress is not None and progress.gap <= 1e-9 and progress.gap_kind == "duality"
    assert value(name, talk.point) == pytest.approx(progress.objective, rel=1e-12)


@every_case
def test_states_are_arrays_and_numbers_and_can_be_gone_on_from(name: str) -> None:
    talk = solved(name, tol=1e-9)
    best = value(name, talk.point)
    states = list(states_with_a_point(talk))
    for state in [*states[:: max(len(states) // 2, 1)], talk.solution.state]:
        assert all(type(number) is float for number in state.numbers.values())
        resumed = solved(name, replace(state, progress=None), tol=1e-9)
        assert resumed.names[0] == "KinkSweep"
        assert resumed.solution.converged
        assert value(name, resumed.point) == pytest.approx(best, rel=3e-9)
        assert resumed.solution.state.passes > state.passes


@every_case
@pytest.mark.parametrize("most", [1, 2])
def test_it_reads_no_more_often_than_it_may(name: str, most: int) -> None:
    talk = solved(name, tol=1e-14, max_passes=most)
    assert talk.names.count("KinkSweep") <= most
    state = talk.solution.state
    assert state.point is not None and state.progress is not None
    again = solved(name, state, tol=1e-14, max_passes=most)
    assert again.names == [] and again.solution.state is state


@every_case
def test_bounds_of_any_point_are_below_the_minimum(name: str) -> None:
    """Also where the width is wrong, and few rows are in the program."""
    best = value(name, solved(name, tol=1e-12).point)
    given = problem(name)
    rng = np.random.default_rng(0)
    told = 0
    for near in (30, 300, N):
        for width in (1e-3, 0.3, 10.0):
            point = Point(rng.standard_normal((1, P)), rng.standard_normal(1), np.zeros(P), True)
            sweep = Sweep(Smoothed(given.loss, width), point, hessian=True)
            ask = Question(KinkSweep(sweep, near), LowerModel(given, point))
            if isinstance(given.penalty, L2):
                ask = Question(KinkSweep(sweep), narrowing._without_program)
            bound = narrowing.Look.of(given, point, answer(ask, chunks(name), 5)).bound
            assert bound <= best * (1.0 + 1e-12)
            told += bool(np.isfinite(bound))
    assert told >= 3


def test_a_program_of_all_rows_is_the_minimum() -> None:
    """Against a program written once more, in its primal form."""
    given, point = problem("quantile"), Point(np.zeros((1, P)), np.zeros(1), np.zeros(P), True)
    sweep = Sweep(Smoothed(given.loss, 0.7), point, hessian=True)
    told = answer(Question(KinkSweep(sweep, N), LowerModel(given, point)), chunks("quantile"), 5)
    A = np.hstack([X, np.ones((N, 1)), np.eye(N), -np.eye(N)])
    cost = np.concatenate([np.zeros(P + 1), np.full(N, 0.3), np.full(N, 0.7)]) / N
    bounds = [(None, None)] * (P + 1) + [(0.0, None)] * (2 * N)
    found = linprog(cost, A_eq=A, b_eq=Y, bounds=bounds, method="highs")
    assert told.bound == pytest.approx(found.fun, rel=1e-9)
    np.testing.assert_allclose(told.step, found.x[: P + 1], atol=1e-8)


def test_who_takes_it() -> None:
    given = problem("quantile")
    assert isinstance(automatic(replace(given, rows=10**6)), Narrowing)
    with pytest.raises(UnsupportedCombination, match="2001 features, and the loss 'quantile.*has kinks"):
        automatic(replace(given, sparse=True, features=2001))
    with pytest.raises(UnsupportedCombination, match="'narrowing' needs a loss with kinks"):
        Narrowing().refuse(Logistic(), L2(1.0))
    Narrowing().refuse(Hinge(), L2(1.0))
