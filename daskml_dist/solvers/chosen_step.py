"""The choice of a stochastic step: where to start, the metric, and how long a step may be, from a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Sample, View, extended, pieces, seen
from daskml_dist.losses import PiecewiseLinear, Smoothed
from daskml_dist.solvers._base import Problem, centred, null_point
from daskml_dist.solvers.curvature import curvatures
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.ground import Survey
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.narrowing import KinkPilot
from daskml_dist.solvers.pilot import Pilot, weighted_mean
from daskml_dist.solvers.progressive_newton import sample_for, sample_rows
from daskml_dist.solvers.scaling import few_rows
from daskml_dist.types import Chunk, FloatArray

MOST_PARAMETERS = 500  # from here on, for each problem, a metric that is no diagonal costs more than it gains
MOST_SPARSE_PARAMETERS = 256  # the same where X is sparse
_PACE = 6.4  # learning rates of an epoch add up to this at most: exp(-6.4) of the start is left
_SETTLING = 2.0  # times the share of a step in all rows so far: later learning rates are at most this
_DIAGONAL_PACE = 64.0  # the same where the metric leaves correlations
_DIAGONAL_SETTLING = 32.0
_WIDTH = 0.5  # of smoothed kinks, in units of the spread of their places
_WIDE = 4.0  # the same so that all rows are within
_ROWS_A_PARAMETER = 40  # of a batch, from which on its minimum tells how F bends there
_PLACES = 11  # constant models that are tried where the loss has kinks


@final
@dataclass(frozen=True)
class Chosen:
    """How to descend by stochastic gradients, for K problems.

    The learning rate of a step over b rows, after which t rows were seen, is the least of 1, ``pace`` b / n,
    ``settling`` b / t, and b / ``leverage``: it forgets the start within an epoch, then it lets the noise
    settle, and no row alone may turn the step round.

    Attributes
    ----------
    point : (K, p) where to start.
    metric : (K, q, q) models of the Hessians, or (K, q) diagonals that bound them.
    pace, settling, leverage : see above; the leverage is the largest l'' x' M^-1 x of a row. The pace is zero
        where the start is the minimum over all rows.
    null_value : F of the constant model, all problems together.
    """

    point: Point
    metric: FloatArray
    pace: float
    settling: float
    leverage: float
    null_value: float

    def rate(self, batch: float, seen: float, rows: float) -> float:
        """The learning rate of a step.

        Parameters
        ----------
        batch : b, the rows of the step.
        seen : t, all rows so far, those of the step among them.
        rows : n, those of an epoch.
        """
        most = min(1.0, batch / max(self.leverage, 1e-300))
        if batch >= rows:  # without noise there is nothing to settle
            return most
        return min(most, self._wanted(batch, seen, rows))

    def rates(self, rows: float, factor: float) -> Callable[[float, float], float]:
        """Learning rates times a factor: a function of ``batch`` and ``seen``, without the metric."""
        return partial(_rate_of, replace(self, metric=np.empty((1, 0))), rows=rows, factor=factor)

    def total(self, seen: float, new: float, rows: float, steps: int) -> float:
        """What the learning rates of so many steps over ``new`` rows add up to, but for the leverage."""
        batch = new / steps
        return sum(self._wanted(batch, seen + h * batch, rows) for h in range(1, steps + 1))

    def _wanted(self, batch: float, seen: float, rows: float) -> float:
        return min(self.pace * batch / rows, self.settling * batch / seen)

    @property
    def solved(self) -> bool:
        """Whether there is nothing left to do."""
        return self.pace == 0.0


def _rate_of(chosen: Chosen, batch: float, seen: float, *, rows: float, factor: float) -> float:
    return factor * chosen.rate(batch, seen, rows)


def wants_diagonal(problem: Problem) -> bool:
    """Whether the metric is to be a diagonal: of many parameters, and where thresholds follow a step."""
    most = MOST_SPARSE_PARAMETERS if problem.sparse else MOST_PARAMETERS
    return problem.parameters > most or not problem.penalty.smooth


def sample_of(problems: Sequence[Problem], *, diagonal: bool) -> Sample:
    """The rows from which a step is chosen; of several classes all rows are drawn alike."""
    if diagonal:
        return few_rows(problems[0])
    if len(problems) == 1:
        return sample_for(problems[0])
    rate = min(sample_rows(problems[0]) / problems[0].rows, 1.0)
    return Sample(problems[0].loss, rate, rate, problems[0].seed)


def inverse_of(metric: FloatArray) -> FloatArray:
    """The inverses of K metrics, or of K diagonals."""
    if metric.ndim != 3:
        return 1.0 / metric
    return np.stack([_inverse(one) for one in metric])


def _inverse(metric: FloatArray) -> FloatArray:
    """Through the Cholesky factor, in which null directions have a small ridge."""
    solved = Metric.of(metric)
    columns = [solved.solve(column) for column in np.eye(len(metric))]
    inverse = np.stack(columns)
    return 0.5 * (inverse + inverse.T)


@final
@dataclass(frozen=True)
class Choose:
    """Choose the step of K problems, inside the task that gathered the sample.

    Attributes
    ----------
    problems, views : what is solved, and how each of them sees the rows.
    sample : how the rows were drawn.
    diagonal : whether the metric is to be a diagonal.
    final : whether no other rows will come, so that where the sample has all of them nothing is left to do.
    """

    problems: tuple[Problem, ...]
    views: tuple[View, ...]
    sample: Sample
    diagonal: bool
    final: bool = True

    def __call__(self, sample: Chunk) -> Chosen:
        problem = self.problems[0]
        centre = weighted_mean(sample) if problem.centred else np.zeros(problem.features)
        chosen = [
            self._one(problem, chunk, centre)
            for problem, chunk in zip(self.problems, seen(sample, self.views), strict=True)
        ]
        point = replace(
            chosen[0].point,
            w=np.concatenate([one.point.w for one in chosen]),
            b=np.concatenate([one.point.b for one in chosen]),
        )
        return replace(
            chosen[0],
            point=point,
            metric=np.stack([one.metric for one in chosen]),
            leverage=max(one.leverage for one in chosen),
            null_value=sum(one.null_value for one in chosen),
        )

    def _one(self, problem: Problem, sample: Chunk, centre: FloatArray) -> Chosen:
        whole = with_finite_link(problem)
        lacking, problem = whole is not problem, whole
        null, null_value = best_constant(problem, sample, centre)
        if self.diagonal:
            soft = softened(problem, sample, null)
            slope = Survey(soft)(sample)
            metric = np.where(slope.scaling.diagonal > 0.0, slope.scaling.diagonal, 1.0) * slope.steepest
            point = null if problem.start is None else centred(problem.start, centre)
            leverage = self._leverage(soft, point, metric, sample)
            return Chosen(point, metric, _DIAGONAL_PACE, _DIAGONAL_SETTLING, leverage, null_value)
        assert sample.X is not None
        point = null if lacking else sample_minimum(problem, sample, centre)
        if lacking:  # its rows tell nothing of how F bends where the other class is
            point = replace(null, b=np.zeros_like(null.b))
        elif problem.start is None and not Evaluation.on(problem, point, sample).value < null_value:
            point = null
        # few rows say little of how F bends, over the rows to come, where their own minimum is
        few = not (self.final or lacking) and sample.X.shape[0] < _ROWS_A_PARAMETER * problem.parameters
        base = null if few else point
        soft = softened(problem, sample, base, _WIDE if few or lacking else _WIDTH)
        hessian = Evaluation.on(soft, base, sample, hessian=True).hessian
        assert hessian is not None
        leverage = self._leverage(soft, base, hessian, sample)
        solved = self.final and not lacking and problem.start is None and sample.X.shape[0] >= problem.rows
        return Chosen(point, hessian, 0.0 if solved else _PACE, _SETTLING, leverage, null_value)

    def _leverage(self, problem: Problem, point: Point, metric: FloatArray, sample: Chunk) -> float:
        """The largest l'' x' M^-1 x of the sample, by the weight of the row in the data."""
        assert sample.X is not None and sample.y is not None
        rate = np.where(problem.loss.stratum(sample.y), self.sample.event_rate, self.sample.other_rate)
        weight = rate if sample.weight is None else sample.weight * rate
        rows = extended(sample.X, point.centre, problem.intercept)
        inverse = inverse_of(metric[None])[0]
        length = np.concatenate([_lengths(piece, inverse) for _, piece in pieces(rows)])
        bend = curvatures(problem, point, replace(sample, weight=None))[:, 0] * len(length)
        return float(np.max(bend * weight * length) / np.average(weight, weights=1.0 / rate))


def _lengths(rows: FloatArray, inverse: FloatArray) -> FloatArray:
    """(B,) x' P x."""
    if inverse.ndim == 1:
        return np.asarray(np.square(rows) @ inverse)
    return np.asarray(np.einsum("ij,ij->i", rows @ inverse, rows))


def sample_minimum(problem: Problem, sample: Chunk, centre: FloatArray) -> Point:
    """The minimum over the sample, the given start, or the constant model where the sample is too small."""
    if problem.start is not None:
        return centred(problem.start, centre)
    if not isinstance(problem.loss, PiecewiseLinear):
        return Pilot(problem).on(sample, centre).point
    assert sample.X is not None
    return KinkPilot(problem, whole=sample.X.shape[0] >= problem.rows)(sample).point


def with_finite_link(problem: Problem) -> Problem:
    """The problem, with half a row of a class that is not there yet."""
    if np.isfinite(problem.loss.link(problem.mean)).all():
        return problem
    half = 0.5 / problem.rows
    return replace(problem, mean=np.clip(problem.mean, half, 1.0 - half))


def best_constant(problem: Problem, sample: Chunk, centre: FloatArray) -> tuple[Point, float]:
    """The constant model, and F of it; at a kink where that is better."""
    point = null_point(problem, centre)
    tried = [point]
    if isinstance(problem.loss, PiecewiseLinear) and problem.intercept:
        assert sample.y is not None
        places = np.concatenate([kink.at for kink in problem.loss.kinks(sample.y)])
        shares = np.linspace(0.0, 1.0, _PLACES)
        tried += [replace(point, b=np.array([b])) for b in np.quantile(places, shares) - problem.offset]
    values = [Evaluation.on(problem, one, sample).value for one in tried]
    best = int(np.argmin(values))
    return tried[best], values[best]


def softened(problem: Problem, sample: Chunk, point: Point, width: float = _WIDTH) -> Problem:
    """The problem with its kinks smoothed, over so many typical distances of a margin from them."""
    if not isinstance(problem.loss, PiecewiseLinear):
        return problem
    assert sample.X is not None and sample.y is not None
    z = sample.X @ point.w[0] + point.raw_intercept[0] + (0.0 if sample.offset is None else sample.offset)
    spread = max(
        float(np.average(np.abs(kink.at - z), weights=sample.weight)) for kink in problem.loss.kinks(sample.y)
    )
    return replace(problem, loss=Smoothed(problem.loss, max(width * spread, 1e-12)))
