"""How long gradient steps may be for groups, from a sample with a share of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, answer
from daskml_dist.solvers._base import centred, null_point
from daskml_dist.solvers.ground import extremes
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem
from daskml_dist.solvers.group_start import diagonal_at
from daskml_dist.solvers.pilot import weighted_mean
from daskml_dist.types import Chunk, FloatArray

LENGTH = 0.5  # of a step in the metric, where 1 is the length for the steepest direction
_LEAST = 1e-12  # weight of a group: from zero it would never come back


def grown(weights: FloatArray, losses: FloatArray) -> FloatArray:
    """(G,) weights times exp(losses), which add up to one."""
    found = np.maximum(weights * np.exp(losses - losses.max()), _LEAST * weights.sum())
    return np.asarray(found / found.sum())


def speed_of(slopes: FloatArray, metric: FloatArray) -> float:
    """How fast weights may change: by 1 / the largest squared length of the (G, q) slopes in the metric.

    With steps of half the inverse of the metric neither player then overtakes the other (Chambolle and Pock
    2016, "On the ergodic convergence rates of a first-order primal-dual algorithm").
    """
    return 1.0 / max(float(np.max(np.square(slopes) @ (1.0 / metric))), 1e-300)


@final
@dataclass(frozen=True)
class GroupSteps:
    """Where to start, and how long steps may be.

    Attributes
    ----------
    point : where.
    metric : (q,) a diagonal that bounds the Hessian of each group there.
    null_value : the risk of the constant model; NaN where the sample has not all groups.
    speed : how fast weights may change with losses there; see ``speed_of``.
    leverage : the largest mean of l'' x' M^-1 x over the rows of a group: how noisy slopes of few rows are.
    """

    point: Point
    metric: FloatArray
    null_value: float
    speed: float
    leverage: float


@final
@dataclass(frozen=True)
class GroupGauge:
    """Measure them, inside the task that gathered the sample."""

    problem: GroupProblem

    def __call__(self, sample: Chunk) -> GroupSteps:
        problem = self.problem
        assert sample.X is not None and sample.groups is not None
        centre = weighted_mean(sample) if problem.centred else np.zeros(problem.features)
        null = null_point(problem, centre)
        point = null if problem.start is None else centred(problem.start, centre)
        parts = [view.of(sample, None, None) for view in problem.views]
        seen = [part for part in parts if part.y is not None and part.y.size and _has_weight(part)]
        metric = np.max([diagonal_at(problem, point, part) for part in seen], axis=0)
        metric = metric * max(extremes(problem, point, metric, part)[0] for part in seen)
        told = [_told(problem, point, metric, part) for part in seen]
        null_value = np.nan
        if len(seen) == len(parts):
            swept = answer(problem.question(null, hessian=False), [sample], 1)
            null_value = GroupEvaluation.of(problem, null, swept).value
        speed = speed_of(np.stack([slope for slope, _ in told]), metric)
        return GroupSteps(point, metric, null_value, speed, max(lever for _, lever in told))


def _has_weight(part: Chunk) -> bool:
    return part.weight is None or bool(part.weight.sum() > 0.0)


def _told(problem: GroupProblem, point: Point, metric: FloatArray, part: Chunk) -> tuple[FloatArray, float]:
    """(q,) the slope of the mean loss of a group, and the mean of l'' x' M^-1 x."""
    reply: SweepAnswer = answer(Question(Sweep(problem.loss, point, diagonal=True)), [part], 1)
    assert reply.diagonal is not None
    leverage = float(np.sum(reply.diagonal.reshape(-1) / metric)) / reply.weight_sum
    return reply.gradient.reshape(-1) / reply.weight_sum, leverage
