"""Limited-memory BFGS: one gradient a pass and nothing of the size of a Hessian."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Question
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn
from daskml_dist.solvers.descent import Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.scaling import Scale, Scaling, few_rows


@final
class LBFGS(Solver):
    """Quasi-Newton steps from pairs of gradients, scaled by the diagonal of the Hessian on a few rows.

    Nocedal and Wright 2006, algorithm 7.5. The scaling makes it indifferent to the units of the
    features, not to their correlation; the gap is an estimate.
    """

    name: ClassVar[str] = "lbfgs"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            policy = Policy("never", state.numbers["null_value"])
            return (yield from descend(problem, policy, metric_of(state), state, state.point))
        scaling: Scaling = yield Turn(Question(few_rows(problem), Scale(problem)), State())
        policy = Policy("never", np.nan if problem.start is None else scaling.null_value)
        state = State(passes=1 if problem.streamed else 0)
        return (yield from descend(problem, policy, Metric.diagonal(scaling.diagonal), state, scaling.point))
