"""The saddle point of quadratic models of the losses of groups: whom to weigh how, and where to step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.risks import Ambiguity
from daskml_dist.solvers.interior_point import maximise
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class GroupModels:
    """m_i(d) = J_i + g_i'd + d'H_i d / 2, a convex parabola for each of G groups.

    Attributes
    ----------
    losses : (G,). gradients : (G, q). hessians : (G, q, q).
    """

    losses: FloatArray
    gradients: FloatArray
    hessians: FloatArray

    def at(self, step: FloatArray) -> FloatArray:
        """(G,) the models at a step."""
        return np.asarray(self.losses + self.gradients @ step + 0.5 * (self.hessians @ step) @ step)

    def mean_hessian(self, weights: FloatArray) -> FloatArray:
        """(q, q) sum_i q_i H_i."""
        return np.tensordot(weights, self.hessians, axes=1)

    def metric(self, weights: FloatArray) -> Metric:
        """The metric of the mean Hessian."""
        return Metric.of(self.mean_hessian(weights))


@final
@dataclass(frozen=True)
class Saddle:
    """min over d of max over q in Q of q' m(d).

    Attributes
    ----------
    weights : (G,) q. step : (q,) d. value : q' m(d), the least that the models can have.
    """

    weights: FloatArray
    step: FloatArray
    value: float


def saddle_point(models: GroupModels, ambiguity: Ambiguity) -> Saddle:
    """Maximise D(q) = q'J - |sum_i q_i g_i|^2 / 2 in the inverse of sum_i q_i H_i, over q in Q.

    D is what is left when d is chosen best for q. It is concave and smooth, and has as many variables as
    there are groups, so that an interior point method costs a few factorisations.
    """
    if ambiguity.is_point:
        return _answered(models, ambiguity.shares)[0]
    level = float(models.losses.max())
    shifted = GroupModels(models.losses - level, models.gradients, models.hessians)
    q = maximise(_Dual(shifted), ambiguity, np.arange(len(models.losses)))
    found, _, _ = _answered(shifted, q)
    return Saddle(found.weights, found.step, found.value + level)


def _answered(models: GroupModels, q: FloatArray) -> tuple[Saddle, FloatArray, FloatArray]:
    """The best step for weights, with (G,) gradient and (G, G) minus Hessian of D there."""
    gradient = q @ models.gradients
    metric = models.metric(q)
    step = -metric.solve(gradient)
    curved = models.hessians @ step
    along = models.gradients + curved
    solved = np.stack([metric.solve(row) for row in along], axis=1)
    value = float(q @ models.losses + 0.5 * gradient @ step)
    return Saddle(q, step, value), models.at(step), along @ solved


@final
@dataclass(frozen=True)
class _Dual:
    """D, for the interior point method."""

    models: GroupModels

    def at(self, x: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        found, losses, bend = _answered(self.models, x)
        return found.value, losses, bend
