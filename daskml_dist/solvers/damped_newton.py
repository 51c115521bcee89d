"""Newton's method with a line search: the exact Hessian in each pass."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Glimpse, GlimpseAnswer, Question
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn, centred, null_point
from daskml_dist.solvers.descent import Policy, descend, metric_of
from daskml_dist.solvers.pilot import newton_from

_GLIMPSED = 16


@final
class DampedNewton(Solver):
    """A few passes with Hessian, with no sample before them: for few rows, or few rows a feature."""

    name: ClassVar[str] = "newton"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            policy = Policy("always", state.numbers["null_value"])
            return (yield from descend(problem, policy, metric_of(state), state, state.point))
        glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(_GLIMPSED)), State())
        centre = glimpse.x_mean if problem.centred else np.zeros(problem.features)
        if problem.start is None:
            return (yield from newton_from(problem, null_point(problem, centre)))
        start = centred(problem.start, centre)
        null_value = float(np.mean(problem.loss.value(problem.mean, problem.loss.link(problem.mean))))
        return (yield from newton_from(replace(problem, start=None), start, null_value))
