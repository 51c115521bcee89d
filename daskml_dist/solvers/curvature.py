"""How fast the slope of the loss of each row changes in each of its margins."""

from __future__ import annotations

import numpy as np

from daskml_dist.kernels import Point
from daskml_dist.losses import JointLoss
from daskml_dist.solvers._base import Problem
from daskml_dist.types import Chunk, FloatArray


def curvatures(problem: Problem, point: Point, sample: Chunk) -> FloatArray:
    """(B, K) second derivatives at a point, by the share that each row has in the weight of the sample."""
    assert sample.X is not None and sample.y is not None
    margin = sample.X @ point.w.T + point.raw_intercept  # (B, K)
    if sample.offset is not None:
        margin = margin + sample.offset[:, None]
    weight = np.ones(len(margin)) if sample.weight is None else sample.weight
    if isinstance(problem.loss, JointLoss):
        chances = problem.loss.mean(margin)
        curvature = chances * (1.0 - chances)
    else:
        curvature = problem.loss.value_slope_curvature(sample.y, margin[:, 0])[2][:, None]
    return np.asarray((weight / weight.sum())[:, None] * curvature)
