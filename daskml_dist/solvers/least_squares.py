"""Linear least squares with a ridge, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.linalg.lapack import dpocon

from daskml_dist.kernels import (
    TSQR,
    Glimpse,
    GlimpseAnswer,
    Moments,
    MomentsAnswer,
    Point,
    Question,
    Sweep,
    SweepAnswer,
)
from daskml_dist.penalties import L2
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, Solver, State, Turn
from daskml_dist.solvers.box_lasso import BoxLasso
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.triangular import solve_factor
from daskml_dist.types import FloatArray

WELL_CONDITIONED = 1e-12  # of the Gram matrix with unit diagonal
REFINABLE = 1e-14
SMALL_ELEMENTS = 1 << 21  # of X: orthogonal factors cost nothing worth saving
MOST_FEATURES = 8192
_GLIMPSED = 16
_EPS = np.finfo(np.float64).eps


@final
class LeastSquares(Solver):
    """Moments in one pass, and the rules that say when they are not enough.

    The Gram matrix with unit diagonal has the squared condition number of the scaled data. Down to a
    reciprocal of 1e-12 it gives the minimum to 1e-13 of the objective; down to 1e-14 one pass
    of corrected semi-normal equations (Bjorck 1987) mends it; below that, where the data are
    nearly or exactly rank deficient, and for small data, an orthogonal factor is formed instead (tsqr.py),
    and a deficient problem gets the solution of least norm, as scikit-learn's does.
    """

    name: ClassVar[str] = "least-squares"
    needs: ClassVar[frozenset[str]] = frozenset({"quadratic loss"})
    many_targets: ClassVar[bool] = True

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        x_shift, y_shift = np.zeros(problem.features), np.zeros(problem.targets)
        if problem.intercept:
            glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(_GLIMPSED)), State())
            x_shift, y_shift = glimpse.x_mean, glimpse.y_mean
        small = problem.rows * problem.features <= SMALL_ELEMENTS
        if not problem.penalty.smooth:
            reply: MomentsAnswer = yield Turn(Question(Moments(x_shift, y_shift)), State())
            return _of_least_pull(problem, _Normal.of(problem, reply.products, x_shift, y_shift))
        if small or problem.max_passes == 1:  # no second pass could mend the moments
            return (yield from _by_factor(problem, x_shift, y_shift, 1))
        reply = yield Turn(Question(Moments(x_shift, y_shift)), State())
        normals = [
            (part, _Normal.of(part, _columns(reply.products, problem, which), x_shift, y_shift[which]))
            for part, which in _alike(problem)
        ]
        worst = min(normal.condition for _, normal in normals)
        if worst >= WELL_CONDITIONED:
            return _joined([normal.solution(part, normal.solve(normal.right), 1) for part, normal in normals])
        if worst >= REFINABLE and problem.targets == 1:  # a sweep has one target
            return (yield from _refined(*normals[0]))
        return (yield from _by_factor(problem, x_shift, y_shift, 2))


def _alike(problem: Problem) -> list[tuple[Problem, list[int]]]:
    """Targets with the same penalty, which share a matrix: all of them, or each by itself."""
    everyone = list(range(problem.targets))
    ridges = np.atleast_2d(problem.penalty.curvature(np.zeros((problem.targets, problem.features))))
    if (ridges == ridges[0]).all():
        level = problem.penalty if problem.targets == 1 or not ridges.any() else L2(float(ridges[0, 0]))
        return [(replace(problem, penalty=level), everyone)]
    return [(replace(problem, penalty=L2(float(ridges[t, 0])), targets=1), [t]) for t in everyone]


def _columns(products: FloatArray, problem: Problem, which: list[int]) -> FloatArray:
    """The moments of all features, some targets, and the constant."""
    p = problem.features
    kept = [*range(p), *(p + t for t in which), p + problem.targets]
    return products[np.ix_(kept, kept)]


def _joined(solutions: list[Solution]) -> Solution:
    """One solution of all targets."""
    if len(solutions) == 1:
        return solutions[0]
    points = [solution.state.point for solution in solutions if solution.state.point is not None]
    reports = [solution.state.progress for solution in solutions if solution.state.progress is not None]
    point = replace(
        points[0],
        w=np.concatenate([point.w for point in points]),
        b=np.concatenate([point.b for point in points]),
    )
    progress = replace(
        reports[0],
        objective=sum(report.objective for report in reports),
        gap=max(report.gap for report in reports),
        gradient_norm=float(np.linalg.norm([report.gradient_norm for report in reports])),
    )
    return Solution(replace(solutions[0].state, point=point, progress=progress), True)


@final
@dataclass(frozen=True)
class _Normal:
    """The normal equations A w = c of t targets, centred, with columns scaled to unit diagonal.

    ``factor`` is the Cholesky factor of the scaled A, ``condition`` a lower estimate of its reciprocal
    condition number, zero where it has none.
    """

    matrix: FloatArray  # (p, p) scaled
    right: FloatArray  # (p, t) scaled
    scale: FloatArray  # (p,)
    factor: FloatArray
    condition: float
    y_square: FloatArray  # (t,) mean square of the centred targets
    centre: FloatArray
    y_centre: FloatArray

    @classmethod
    def of(cls, problem: Problem, products: FloatArray, x_shift: FloatArray, y_shift: FloatArray) -> _Normal:
        p, t = problem.features, problem.targets
        total = products[-1, -1]
        moments = products[:-1, :-1] / total
        mean = products[:-1, -1] / total if problem.intercept else np.zeros(p + t)
        raw_square = np.diag(moments).copy()
        moments = moments - np.outer(mean, mean)
        matrix, right = moments[:p, :p], moments[:p, p:]
        # what is left of a constant column is rounding
        noise = 64 * _EPS * (raw_square[:p] + _EPS * np.square(x_shift))
        constant = np.diag(matrix) <= noise
        matrix[constant, :] = matrix[:, constant] = 0.0
        right[constant] = 0.0
        matrix = matrix + np.diag(problem.penalty.curvature(np.zeros(p)))
        scale = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
        matrix = matrix / np.outer(scale, scale)
        np.fill_diagonal(matrix, 1.0)
        factor, condition = _factorised(matrix)
        square = np.diag(moments)[p:]
        return cls(
            matrix,
            right / scale[:, None],
            scale,
            factor,
            condition,
            square,
            x_shift + mean[:p],
            y_shift + mean[p:],
        )

    def solve(self, right: FloatArray) -> FloatArray:
        """(p, t) scaled coefficients, with one step of refinement in the matrix itself."""
        first = cho_solve((self.factor, True), right)
        return np.asarray(first + cho_solve((self.factor, True), right - self.matrix @ first))

    def solution(self, problem: Problem, scaled: FloatArray, passes: int) -> Solution:
        """The end of the conversation, with (p, t) scaled coefficients."""
        left = self.right - self.matrix @ scaled
        gap = 0.5 * np.einsum("pt,pt->t", left, self.solve(left)).clip(0.0)
        value = 0.5 * (self.y_square - np.einsum("pt,pt->t", scaled, self.right + left)).clip(0.0)
        point = self.point(problem, scaled)
        return ended(
            point, value, gap, float(np.linalg.norm(left * self.scale[:, None])), passes, self.y_square
        )

    def point(self, problem: Problem, scaled: FloatArray) -> Point:
        """The coefficients in the units of the data."""
        w = (scaled / self.scale[:, None]).T
        b = self.y_centre if problem.intercept else np.zeros(problem.targets)
        return Point(
            np.ascontiguousarray(w),
            b,
            self.centre if problem.intercept else np.zeros(w.shape[1]),
            problem.intercept,
        )


def _of_least_pull(problem: Problem, normal: _Normal) -> Solution:
    """The minimum with absolute values and bounds, from the normal equations.

    F(u + d) >= F(u) + v'd + d'Gd / 2 for each subgradient v at u, so that the gap is at most v' G^-1 v / 2.
    """
    p, penalty = problem.features, problem.penalty
    l1, lower, upper = (np.broadcast_to(part, (p,)) for part in (penalty.l1, penalty.lower, penalty.upper))
    metric = Metric.of(normal.matrix)
    found, value, gap, pulls = [], [], [], []
    for target, (right, square) in enumerate(zip(normal.right.T, normal.y_square, strict=True)):
        box = BoxLasso(normal.matrix, right, l1 / normal.scale, lower * normal.scale, upper * normal.scale)
        start = None if problem.start is None else problem.start.w[target] * normal.scale
        u = box.minimum(start)
        pull = box.subgradient(u)
        found.append(u)
        pulls.append(pull * normal.scale)
        value.append(0.5 * (square + u @ (normal.matrix @ u - 2.0 * right)) + box.l1 @ np.abs(u))
        gap.append(0.5 * float(pull @ metric.solve(pull)))
    point = normal.point(problem, np.column_stack(found))
    length = float(np.linalg.norm(pulls))
    return ended(point, np.maximum(value, 0.0), np.asarray(gap), length, 1, normal.y_square)


def _factorised(matrix: FloatArray) -> tuple[FloatArray, float]:
    try:
        factor = cholesky(matrix, lower=True, check_finite=False)
    except LinAlgError:
        return np.eye(matrix.shape[0]), 0.0
    condition, _ = dpocon(factor, np.abs(matrix).sum(axis=0).max(), uplo="L")
    return factor, float(condition)


def _refined(problem: Problem, normal: _Normal) -> Conversation:
    """Corrected semi-normal equations: the residual is formed from the data themselves."""
    scaled = normal.solve(normal.right)
    point = normal.point(problem, scaled)
    last = min(3, problem.max_passes)
    for passes in range(2, last + 1):
        state = State(passes - 1, point)
        reply: SweepAnswer = yield Turn(Question(Sweep(problem.loss, point, compiled=problem.large)), state)
        p = problem.features
        gradient = reply.gradient[:, :p] / reply.weight_sum + problem.penalty.gradient(point.w)  # (t, p)
        change = normal.solve(gradient.T / normal.scale[:, None])
        scaled = scaled - change
        gap = 0.5 * np.einsum("pt,pt->t", change, normal.matrix @ change)
        value = reply.value / reply.weight_sum + problem.penalty.value(point.w) - gap
        b = point.b
        if problem.intercept:
            b = b - reply.gradient[:, p] / reply.weight_sum
        point = Point(normal.point(problem, scaled).w, b, point.centre, problem.intercept)
        size = np.maximum(value, 1e-3 * 0.5 * normal.y_square)
        if np.all(gap <= problem.tol * size) or passes == last:
            break
    rest = gap * (
        _EPS / max(normal.condition, _EPS)
    )  # a correction is itself wrong by eps times the condition
    return ended(point, value, rest, float(np.linalg.norm(gradient)), passes, normal.y_square)


def _by_factor(problem: Problem, x_shift: FloatArray, y_shift: FloatArray, passes: int) -> Conversation:
    """Solve from an orthogonal factor, which keeps all digits of the data."""
    state = State(passes - 1)
    factor: FloatArray = yield Turn(Question(TSQR(x_shift, y_shift)), state)
    p = problem.features
    # rows and columns of the factor: 1, x, y
    total = factor[0, 0] ** 2
    start = 1 if problem.intercept else 0
    corner = factor[start:, 1:] if problem.intercept else factor[:, 1:]
    w, square = np.zeros((p, problem.targets)), np.zeros(problem.targets)
    for part, which in _alike(problem):
        ridge = part.penalty.curvature(np.zeros(p)) * total
        w[:, which], square[which] = solve_factor(corner[:, :p], corner[:, p:][:, which], ridge)
    y_square = np.square(corner[:, p:]).sum(axis=0) / total
    if problem.intercept:
        x_mean, y_mean = factor[0, 1 : p + 1] / factor[0, 0], factor[0, p + 1 :] / factor[0, 0]
        point = Point(np.ascontiguousarray(w.T), y_shift + y_mean, x_shift + x_mean, True)
    else:
        point = Point(np.ascontiguousarray(w.T), np.zeros(problem.targets), np.zeros(p), False)
    value = 0.5 * square / total
    left = np.zeros(problem.targets)
    return ended(point, value, left, 0.0, passes, y_square)


def ended(
    point: Point, value: FloatArray, gap: FloatArray, gradient_norm: float, passes: int, y_square: FloatArray
) -> Solution:
    """The solution, with the largest relative gap of its targets; all targets count into the objective."""
    scale = np.maximum(value, 1e-3 * 0.5 * y_square)
    scale = np.maximum(scale, np.finfo(np.float64).tiny)
    relative = float(np.max((gap + 32 * _EPS * value) / scale))
    progress = Progress(float(value.sum()), relative, "closed-form", gradient_norm, 0.0)
    return Solution(State(passes, point, progress), True)
