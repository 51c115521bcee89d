"""Linear least squares with a ridge, in one pass."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, final

import numpy as np

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
from daskml_dist.kernels.tsqr import factor as triangle
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, Solver, State, Turn
from daskml_dist.solvers.box_lasso import BoxLasso
from daskml_dist.solvers.hessian import MOST_PARAMETERS, Hessian
from daskml_dist.solvers.joined import joined_point, joined_progress
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.normal import Centred, Normal
from daskml_dist.solvers.triangular import solve_factor
from daskml_dist.types import FloatArray

WELL_CONDITIONED = 1e-12  # of the Gram matrix with unit diagonal
REFINABLE = 1e-14
SMALL_ELEMENTS = 1 << 21  # of X: orthogonal factors cost nothing worth saving
MOST_FEATURES = 8192
GLIMPSED = 16
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
            glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(GLIMPSED)), State())
            x_shift, y_shift = glimpse.x_mean, glimpse.y_mean
        if not problem.penalty.smooth:
            reply: MomentsAnswer = yield Turn(Question(Moments(x_shift, y_shift)), State())
            return of_least_pull(problem, _normal(problem, reply.products, x_shift, y_shift), 1)
        if small(problem) or problem.max_passes == 1:  # no second pass could mend the moments
            return (yield from _by_factor(problem, x_shift, y_shift, 1))
        reply = yield Turn(Question(Moments(x_shift, y_shift)), State())
        normals = _normals(problem, reply.products, x_shift, y_shift)
        worst = min(normal.condition for _, normal in normals)
        if worst >= WELL_CONDITIONED:
            found = _joined([of_normal(normal, 1) for _, normal in normals])
            return _knowing(found, normals[0][1].hessian if len(normals) == 1 else None)
        if worst >= REFINABLE and problem.targets == 1:  # a sweep has one target
            return (yield from _refined(*normals[0]))
        return (yield from _by_factor(problem, x_shift, y_shift, 2))


def small(problem: Problem) -> bool:
    """Whether orthogonal factors cost nothing worth saving."""
    return problem.rows * problem.features <= SMALL_ELEMENTS


def of_moments(
    problem: Problem, products: FloatArray, x_shift: FloatArray, y_shift: FloatArray, passes: int
) -> tuple[Solution, bool]:
    """The minimum without absolute values and bounds, and whether the moments were good enough for it."""
    normals = [normal for _, normal in _normals(problem, products, x_shift, y_shift)]
    good = min(normal.condition for normal in normals) >= WELL_CONDITIONED
    return _joined([of_normal(normal, passes) for normal in normals]), good


def _normals(
    problem: Problem, products: FloatArray, x_shift: FloatArray, y_shift: FloatArray
) -> list[tuple[Problem, Normal]]:
    """The normal equations of the targets, those with the same penalty together."""
    return [
        (part, _normal(part, _columns(products, problem, which), x_shift, y_shift[which]))
        for part, which in _alike(problem)
    ]


def _normal(problem: Problem, products: FloatArray, x_shift: FloatArray, y_shift: FloatArray) -> Normal:
    moments = Centred.of(products, x_shift, y_shift, intercept=problem.intercept)
    return Normal.of(moments, problem.penalty.curvature(np.zeros(problem.features)))


def _alike(problem: Problem) -> list[tuple[Problem, list[int]]]:
    """Targets with the same penalty, which share a matrix: all of them, or each by itself."""
    everyone = list(range(problem.targets))
    own = [problem.penalty.of(t) for t in everyone]
    if all(penalty == own[0] for penalty in own):
        return [(replace(problem, penalty=own[0]), everyone)]
    return [(replace(problem, penalty=penalty, targets=1), [t]) for t, penalty in enumerate(own)]


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
    return Solution(State(solutions[0].state.passes, joined_point(points), joined_progress(reports)), True)


def of_normal(normal: Normal, passes: int) -> Solution:
    """The minimum without absolute values and bounds, from the normal equations."""
    found = normal.solve(normal.right)
    left = normal.right - normal.matrix @ found
    gap = 0.5 * np.einsum("pt,pt->t", left, normal.solve(left)).clip(0.0)
    value = 0.5 * (normal.y_square - np.einsum("pt,pt->t", found, normal.right + left)).clip(0.0)
    length = float(np.linalg.norm(left * normal.scale[:, None]))
    return ended(normal.point(found), value, gap, length, passes, normal.y_square)


def of_least_pull(problem: Problem, normal: Normal, passes: int) -> Solution:
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
    point = normal.point(np.column_stack(found))
    length = float(np.linalg.norm(pulls))
    return ended(point, np.maximum(value, 0.0), np.asarray(gap), length, passes, normal.y_square)


def _refined(problem: Problem, normal: Normal) -> Conversation:
    """Corrected semi-normal equations: the residual is formed from the data themselves."""
    scaled = normal.solve(normal.right)
    point = normal.point(scaled)
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
        point = Point(normal.point(scaled).w, b, point.centre, problem.intercept)
        size = np.maximum(value, 1e-3 * 0.5 * normal.y_square)
        if np.all(gap <= problem.tol * size) or passes == last:
            break
    rest = gap * (
        _EPS / max(normal.condition, _EPS)
    )  # a correction is itself wrong by eps times the condition
    found = ended(point, value, rest, float(np.linalg.norm(gradient)), passes, normal.y_square)
    return _knowing(found, normal.hessian)


def _by_factor(problem: Problem, x_shift: FloatArray, y_shift: FloatArray, passes: int) -> Conversation:
    """Solve from an orthogonal factor, which keeps all digits of the data."""
    factor: FloatArray = yield Turn(Question(TSQR(x_shift, y_shift)), State(passes - 1))
    return _knowing(of_factor(problem, factor, x_shift, y_shift, passes), _hessian(problem, factor))


def _hessian(problem: Problem, factor: FloatArray) -> Hessian | None:
    """That of F in the coefficients, with the intercept minimised out; None where nobody asks for it."""
    p = problem.features
    if problem.targets > 1 or problem.parameters > MOST_PARAMETERS:
        return None
    rows = factor[int(problem.intercept) :, 1 : p + 1] / factor[0, 0]  # its square is the sum of the weights
    ridge = np.diag(np.sqrt(problem.penalty.curvature(np.zeros(p))))
    rows = np.concatenate([rows, ridge])
    norms = np.linalg.norm(rows, axis=0)
    if not norms.all():
        return None
    return Hessian(norms, triangle([rows / norms]).T, False)


def _knowing(solution: Solution, hessian: Hessian | None) -> Solution:
    """The same, with what is known of F about its point."""
    return replace(solution, state=replace(solution.state, hessian=hessian))


def of_factor(
    problem: Problem, factor: FloatArray, x_shift: FloatArray, y_shift: FloatArray, passes: int
) -> Solution:
    """The minimum without absolute values and bounds, from the factor of (1, x - x_shift, y - y_shift)."""
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
