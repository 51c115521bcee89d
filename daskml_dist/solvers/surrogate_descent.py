"""Descent by surrogates: each pass draws the rows that matter where it stands, and a task solves for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskml_dist.kernels import LeverageSample, Point, Question, Sweep
from daskml_dist.solvers._base import Conversation, Problem, Solution, State, Turn
from daskml_dist.solvers.descent import (
    TRIAL_STEPS,
    Evaluation,
    Line,
    Policy,
    descend,
    ended,
    one_step_short,
    proof_of,
    reached,
    suspects_ray,
    verified,
)
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.surrogate import Surrogate, SurrogateAnswer

_NEAR = 1e-2  # relative gap below which the Hessian of all rows improves the surrogate
FAILED = np.inf  # as a contraction: what a sample tells has been of no use
_REFUSALS = 3  # of shorter and shorter steps
_SLOW = 0.5  # a surrogate that gains less than a factor of two is no better than Newton's model


def descend_by_surrogates(
    problem: Problem, policy: Policy, metric: Metric, state: State, point: Point, share: float
) -> Conversation:
    """Step from minimum to minimum of surrogates, and by Newton's method where these fail.

    Parameters
    ----------
    problem, policy, metric, state, point : as for ``descend``.
    share : of the rows, in each sample.
    """
    line: Line | None = None
    decrease_before = np.inf
    gap_before = np.inf if state.progress is None else state.progress.gap
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, state.progress.gap <= problem.tol)
    while True:
        exact = problem.certify or gap_before <= _NEAR
        direction, steps = (None, ()) if line is None else (line.step[None], TRIAL_STEPS)
        sweep = Sweep(problem.loss, point, direction, steps, hessian=exact)
        kernel = LeverageSample(sweep, metric.cholesky_factor, share, problem.seed + state.passes)
        reply: SurrogateAnswer = yield Turn(Question(kernel, Surrogate(problem, point)), state)
        here = Evaluation.of(problem, point, reply.answer)
        state = replace(state, passes=state.passes + 1)
        refused = not np.isfinite(here.value) if line is None else not line.accepts(problem, here)
        if refused and state.passes >= problem.max_passes:
            return Solution(state, False)
        if refused and (line is None or line.rejected == _REFUSALS):
            return (yield from descend(problem, _newton(policy), metric, state, state.point or point))
        if refused and line is not None:
            line = line.shortened(problem, here)
            point = line.target
            continue
        proof = proof_of(problem, here, metric)
        metric = Metric.of(reply.hessian)
        state, gap = verified(problem, policy, here, reply.step, reply.decrease, metric, proof, state)
        state = replace(state, hessian=metric.hessian(sampled=True))
        if reached(problem, state) or one_step_short(problem, policy, here, gap, proof):
            step = reply.step if here.hessian is None else -Metric.of(here.hessian).solve(here.gradient)
            suspected = policy.look and suspects_ray(problem, policy, here, state, gap / gap_before)
            return (yield from ended(problem, policy, here, state, step, proof, suspected))
        if state.passes >= problem.max_passes:
            return Solution(state, gap <= problem.tol, here.hessian)
        if reply.decrease > _SLOW * decrease_before:
            return (yield from descend(problem, _newton(policy), metric, state, point))
        gap_before, decrease_before = gap, reply.decrease
        line = Line(here, reply.step)
        point = line.target


def _newton(policy: Policy) -> Policy:
    """With the exact Hessian in each pass, also where the fit goes on from a state."""
    return replace(policy, hessian="always", contraction=FAILED)
