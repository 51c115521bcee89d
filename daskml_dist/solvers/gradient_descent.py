"""Gradient descent: each shard's gradient, summed up the tree, and a step; one gradient a pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.losses import Loss
from daskml_dist.optimizers import Averaging, Optimizer
from daskml_dist.penalties import Penalty
from daskml_dist.solvers._base import Conversation, Problem, Solver, State
from daskml_dist.solvers.descent import Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.optimized_steps import optimized
from daskml_dist.solvers.searched_steps import RULES, searched


@final
@dataclass(frozen=True)
class GradientDescent(Solver):
    """w <- w - eta_t M^-1 g with a diagonal M, so that the units of features do not matter.

    M is the diagonal of the Hessian at the start, times the largest curvature that then is left (estimated on
    a few rows): a learning rate of 1 is the inverse of the steepest direction's curvature there. Correlated
    features stay a matter of many passes, which the solvers with a Hessian do not have.

    Attributes
    ----------
    step : how long steps are.

        - "barzilai_borwein": by the change of the gradient along the last step, as a rule one pass a step;
        - "backtracking": the longest of a few that lowers F enough, which trial steps in each pass tell;
        - an optimizer of ``daskml_dist.optimizers``, whose learning rates are taken as they are: ``SGD(1.0)``
          is gradient descent with a fixed step, ``SGD(InverseScaling(1.0))`` with a schedule; ``Momentum``
          and ``Nesterov`` accelerate it. Where it diverges, the best model on the way is kept.

    Raises
    ------
    UnsupportedParameter
        ``step`` is none of these, or averages: means are for noisy gradients, and no pass verifies them.
    """

    step: str | Optimizer = "barzilai_borwein"
    name: ClassVar[str] = "gradient_descent"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "loss without a scale"})

    def __post_init__(self) -> None:
        if isinstance(self.step, Averaging):
            raise UnsupportedParameter(
                f"GradientDescent(step={self.step!r}): a mean of points is none that a pass has verified. "
                f"Use step={self.step.optimizer!r}."
            )
        if not isinstance(self.step, Optimizer) and self.step not in RULES:
            known = ", ".join(repr(rule) for rule in RULES)
            raise UnsupportedParameter(
                f"GradientDescent(step={self.step!r}): expected {known}, or one of daskml_dist.optimizers."
            )

    @property
    def mark(self) -> str:
        return f"{self.name} ({self.step!r})"

    def at_rate(self, factor: float) -> GradientDescent | None:
        return replace(self, step=self.step.scaled(factor)) if isinstance(self.step, Optimizer) else None

    def refuse(self, loss: Loss, penalty: Penalty) -> None:
        super().refuse(loss, penalty)
        if isinstance(self.step, Optimizer) and not penalty.smooth:
            raise UnsupportedCombination(
                f"GradientDescent(step={self.step!r}) needs a smooth penalty; given was the penalty "
                f"{penalty.name!r}. Use step='barzilai_borwein' or step='backtracking', which take any."
            )

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and "factor" in state.arrays and state.point is not None:  # was being proven
            policy = Policy("always", state.numbers["null_value"])
            return (yield from descend(problem, policy, metric_of(state), state, state.point))
        if isinstance(self.step, Optimizer):
            solution = yield from optimized(problem, self.step, state)
        else:
            solution = yield from searched(problem, self.step, state)
        state = solution.state
        if not solution.converged or solution.notes or not _to_be_proven(problem, state):
            return solution
        assert state.point is not None
        policy = Policy("always", state.numbers["null_value"])
        metric = Metric.diagonal(state.arrays["metric"])
        return (yield from descend(problem, policy, metric, state, state.point))


def _to_be_proven(problem: Problem, state: State) -> bool:
    """Whether Newton's method is to go on until the gap is proven."""
    provable = problem.certify and problem.loss.self_concordance is not None
    guessed = state.progress is not None and state.progress.gap_kind == "estimate"
    return provable and guessed and state.passes < problem.max_passes
