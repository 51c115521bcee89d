"""Several targets for solvers of one: as each by itself, in the same passes, gone on with from any state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskml_dist.losses import Squared
from daskml_dist.penalties import L2
from daskml_dist.solvers import (
    LBFGS,
    DampedNewton,
    LeastSquares,
    Problem,
    ProgressiveNewton,
    Solver,
    State,
    TrustRegionNewton,
    by_target,
)
from daskml_dist.types import Chunk
from tests.solvers.problems import hold

RNG = np.random.default_rng(2)
X = RNG.standard_normal((400, 12)) * np.logspace(-1, 1, 12) + 3.0
Y = X @ RNG.standard_normal((12, 3)) + RNG.standard_normal((400, 3)) * [0.1, 1.0, 10.0]
CHUNKS = [Chunk(i, X[100 * i : 100 * i + 100], Y[100 * i : 100 * i + 100]) for i in range(4)]
ONE_TARGET: list[Solver] = [TrustRegionNewton(), LBFGS(), DampedNewton(), ProgressiveNewton()]
each_solver = pytest.mark.parametrize("solver", ONE_TARGET, ids=lambda solver: solver.name)


def problem(**settings: Any) -> Problem:
    return Problem(
        loss=Squared(),
        penalty=L2(np.array([0.1, 1.0, 10.0])),
        intercept=True,
        rows=400,
        features=12,
        targets=3,
        weight_sum=400.0,
        events=0,
        mean=Y.mean(axis=0),
        **{"tol": 1e-13, "max_passes": 1000, **settings},
    )


def assert_minimum(solution: Any) -> None:
    expected = hold(LeastSquares().solve(problem()), CHUNKS).solution
    assert solution.converged
    assert_allclose(solution.state.point.w, expected.state.point.w, rtol=1e-3, atol=1e-4)
    assert_allclose(solution.state.point.raw_intercept, expected.state.point.raw_intercept, rtol=1e-3)
    assert solution.state.progress.objective == pytest.approx(expected.state.progress.objective)


@each_solver
def test_the_minimum_of_all_targets(solver: Solver) -> None:
    talk = hold(by_target(solver, problem()), CHUNKS)
    assert set(talk.names) == {"Together"}
    assert_minimum(talk.solution)


def test_a_solver_of_many_targets_is_asked_for_all() -> None:
    talk = hold(by_target(LeastSquares(), problem()), CHUNKS)
    assert "Together" not in talk.names
    assert_minimum(talk.solution)


@pytest.mark.parametrize("solver", [TrustRegionNewton(), LBFGS()], ids=lambda solver: solver.name)
def test_it_goes_on_from_any_state(solver: Solver) -> None:
    talk = hold(by_target(solver, problem(tol=1e-10)), CHUNKS)
    states = [turn.state for turn in talk.turns] + [talk.solution.state]
    for state in states:
        assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in state.arrays.values())
        assert all(type(number) is float for number in state.numbers.values())
    known = [state for state in states if state.point is not None]
    assert len(known) > len(states) // 2
    for state in [State(), *known[::5], known[-1]]:
        resumed = hold(by_target(solver, problem(tol=1e-10), replace(state, progress=None)), CHUNKS)
        assert_minimum(resumed.solution)
        if state.point is not None:
            assert resumed.solution.state.passes > state.passes
    assert len(resumed.turns) == 1, "from the last state there is only one look left"


def test_it_starts_where_it_is_told() -> None:
    found = hold(by_target(TrustRegionNewton(), problem()), CHUNKS).solution.state.point
    talk = hold(by_target(TrustRegionNewton(), problem(tol=1e-8, start=found)), CHUNKS)
    assert len(talk.turns) < 8
    assert_minimum(talk.solution)


def test_as_many_at_once_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hold(by_target(TrustRegionNewton(), problem()), CHUNKS)
    monkeypatch.setattr(TrustRegionNewton, "gathered_bytes", lambda solver, problem: 1 << 27)
    parts = hold(by_target(TrustRegionNewton(), problem()), CHUNKS)
    assert max(len(turn.question.kernel.questions) for turn in parts.turns) == 2
    assert parts.solution.state.passes == len(parts.turns) > len(whole.turns)
    assert_minimum(parts.solution)
