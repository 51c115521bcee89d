"""Several classes in a metric of blocks: the minimum, fewer passes than a diagonal, states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskml_dist.kernels import Question, answer
from daskml_dist.losses import Softmax
from daskml_dist.penalties import L2
from daskml_dist.solvers import LBFGS, BlockLBFGS, DampedNewton, Problem, Solution, State, converse
from daskml_dist.types import Chunk

RNG = np.random.default_rng(2)
N, P, K = 4000, 12, 5
X = RNG.standard_normal((N, P)) @ RNG.standard_normal((P, P)) * np.logspace(0, 2, P) + 3.0
MARGINS = (X - 3.0) / X.std(axis=0) @ RNG.standard_normal((P, K)) / 2 + [0.0, 1.0, 0.0, -1.0, 0.0]
Y = (MARGINS + RNG.gumbel(size=(N, K))).argmax(axis=1).astype(float)
CHUNKS = [Chunk(i, X[i::4], Y[i::4]) for i in range(4)]
SHARES = np.bincount(Y.astype(int)) / N
PROBLEM = Problem(
    Softmax(K),
    L2(1e-4),
    True,
    N,
    P,
    1,
    float(N),
    0,
    np.bincount(Y.astype(int)) / N,
    tol=1e-9,
    max_passes=300,
)


def solved(solver: Any, problem: Problem = PROBLEM) -> Solution:
    return converse(solver.solve(problem), CHUNKS)


def model(solution: Solution) -> np.ndarray:
    """The probabilities of all rows, which know no constant that is added to all margins."""
    point = solution.state.point
    assert point is not None
    return Softmax(K).mean(X @ point.w.T + point.raw_intercept)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_minimum_in_fewer_passes(intercept: bool) -> None:
    problem = replace(PROBLEM, intercept=intercept)
    found, newton, diagonal = (solved(solver, problem) for solver in (BlockLBFGS(), DampedNewton(), LBFGS()))
    assert found.converged
    assert_allclose(model(found), model(newton), atol=1e-4)
    least = newton.state.progress.objective
    assert (found.state.progress.objective - least) / least < 1e-7
    assert found.state.passes < 0.5 * diagonal.state.passes


def test_a_loose_tolerance_takes_no_second_metric() -> None:
    found = solved(BlockLBFGS(), replace(PROBLEM, tol=0.02))
    assert found.converged
    assert found.state.passes < 12


def test_passes_are_kept() -> None:
    for most in (1, 5, 8):
        found = solved(BlockLBFGS(), replace(PROBLEM, max_passes=most))
        assert not found.converged
        assert found.state.passes <= most


def test_it_goes_on_from_any_state() -> None:
    least = solved(DampedNewton()).state.progress.objective
    talk, reply, states = BlockLBFGS().solve(PROBLEM), None, []
    while True:
        try:
            turn = talk.send(reply)
        except StopIteration:
            break
        states.append(turn.state)
        reply = answer(Question(turn.question.kernel, turn.question.then), CHUNKS, len(CHUNKS))
    for state in [state for state in states if state.point is not None][::5]:
        rest = State(state.passes, state.point, None, state.arrays, state.numbers)
        found = converse(BlockLBFGS().solve(PROBLEM, rest), CHUNKS)
        assert (found.state.progress.objective - least) / least < 1e-7


def test_weights_count_rows() -> None:
    twice = [replace(chunk, weight=np.full(len(chunk.y), 2.0)) for chunk in CHUNKS]
    found = converse(BlockLBFGS().solve(replace(PROBLEM, weight_sum=2.0 * N)), twice)
    assert_allclose(model(found), model(solved(BlockLBFGS())), atol=1e-4)
