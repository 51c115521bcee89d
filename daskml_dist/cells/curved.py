"""Newton's method for many small generalised linear models at once, with a gap for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np

from daskml_dist.cells.design import Design, OwnDesign, SharedDesign
from daskml_dist.cells.moments import Incomplete, masked_weights, slabs
from daskml_dist.cells.solving import cholesky, half_solve, solve_cholesky
from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray, FloatArray

_SINGULAR = 1e-12
_HALVINGS = 40


@final
@dataclass(frozen=True)
class Curved:
    """The models of C cells.

    Attributes
    ----------
    w : (p, C). b : (C,); NaN where there is no sample, or no finite intercept.
    used : (C,) samples.
    gap : (C,) relative gaps. proven : (C,) whether they are proofs.
    steps : (C,) of Newton's method.
    """

    w: FloatArray
    b: FloatArray
    used: FloatArray
    gap: FloatArray
    proven: AnyArray
    steps: AnyArray


@final
@dataclass(frozen=True)
class _Cells:
    """What is minimised in each cell: sum_t s loss(y, z + offset) + theta' diag(penalty) theta / 2."""

    design: Design
    y: FloatArray
    share: FloatArray  # weights that add up to one in each cell
    offset: FloatArray | None
    penalty: FloatArray  # (q, C)
    null: FloatArray  # (C,) the objective without features

    def taken(self, cells: AnyArray) -> _Cells:
        return _Cells(
            self.design.taken(cells),
            self.y[:, cells],
            self.share[:, cells],
            None if self.offset is None else self.offset[:, cells],
            self.penalty[:, cells],
            self.null[cells],
        )

    def value(self, loss: Loss, z: FloatArray, theta: FloatArray) -> FloatArray:
        """(C,) objectives."""
        losses = np.einsum("tc,tc->c", self.share, loss.value(self.y, z))
        return np.asarray(losses + 0.5 * (self.penalty * np.square(theta)).sum(axis=0))


def newton(
    x: AnyArray,
    y: AnyArray,
    weight: AnyArray | None,
    offset: AnyArray | None,
    *,
    loss: Loss,
    alpha: Callable[[FloatArray], FloatArray],
    intercept: bool,
    tol: float,
    max_steps: int,
    complete: bool = False,
) -> Curved:
    """Fit a model in each cell.

    Parameters
    ----------
    x, y, weight : see ``moments_of``; y is coded as the loss wants it.
    offset : (T, C) what is added to the margins, or None.
    loss : smooth and convex.
    alpha : the strength of the L2 penalty on the mean of the losses, given (C,) sums of weights.
    intercept : whether there is one.
    tol : the relative gap to reach. max_steps : of Newton's method.
    complete : whether nothing may be missing.

    Raises
    ------
    Incomplete, NonFiniteData, InvalidData
        Values that are missing where none may be, infinite, or outside the domain of the loss.
    """
    parts = []
    for slab in slabs(y.shape[1], y.shape[0]):
        cut = x if x.ndim == 2 else x[:, :, slab]
        w = weight if weight is None or weight.ndim == 1 else weight[:, slab]
        shift = None if offset is None else offset[:, slab]
        target = y[:, slab] if shift is None else np.where(np.isnan(shift), np.nan, y[:, slab])
        w, valid = masked_weights(cut, target, w)
        if complete and not valid.all():
            raise Incomplete
        refuse(loss, cut, target, valid)
        parts.append(_slab(cut, target, w, shift, loss, alpha, intercept, tol, max_steps))
    names = [field.name for field in fields(Curved)]
    return Curved(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))


def refuse(loss: Loss, x: AnyArray, y: AnyArray, valid: AnyArray) -> None:
    """Complain about targets outside the domain of the loss, and infinity."""
    there = y[valid]
    if np.isinf(there).any() or np.isinf(x).any():
        raise NonFiniteData("Input y or X contains infinity. Mask it with .where(...).")
    told = loss.complain(there)
    if told is not None:
        raise InvalidData(f"y is outside the domain of the loss: {told}. Mask such cells with .where(...).")


def _slab(
    x: AnyArray,
    y: AnyArray,
    weight: FloatArray,
    offset: AnyArray | None,
    loss: Loss,
    alpha: Callable[[FloatArray], FloatArray],
    intercept: bool,
    tol: float,
    max_steps: int,
) -> Curved:
    """One slab of cells."""
    total = weight.sum(axis=0)
    share = weight / np.where(total > 0.0, total, 1.0)
    filled = np.where(weight > 0.0, y, 1.0)  # 1 is in the domain of all losses
    shift = None if offset is None else np.where(weight > 0.0, offset, 0.0)
    design = _design(x, weight, intercept)
    p, cells = len(x), y.shape[1]
    theta = np.zeros((p + int(intercept), cells))
    if intercept:
        theta[p] = loss.link(_mean(share, filled))
        theta[p] -= 0.0 if shift is None else (share * shift).sum(axis=0)
    alive = (total > 0.0) & np.isfinite(theta).all(axis=0)
    theta[:, ~alive] = 0.0
    penalty = np.zeros_like(theta)
    penalty[:p] = alpha(np.where(alive, total, 1.0)) / np.square(design.scale)
    problem = _Cells(design, filled, share, shift, penalty, np.zeros(cells))
    null = problem.value(loss, _margins(problem, theta), theta)
    found = _descend(replace(problem, null=null), theta, alive, loss, tol, max_steps)
    theta, gap, proven, steps = found
    w = theta[:p] / design.scale
    b = (theta[p] if intercept else 0.0) - (w * design.mean).sum(axis=0)
    w, b, gap = np.where(alive, w, np.nan), np.where(alive, b, np.nan), np.where(alive, gap, np.nan)
    return Curved(w, b, np.count_nonzero(weight, axis=0).astype(np.float64), gap, proven, steps)


def _mean(share: FloatArray, y: FloatArray) -> FloatArray:
    """(C,) weighted means; exactly the value of y where that is always the same."""
    least = np.where(share > 0.0, y, np.inf).min(axis=0, initial=np.inf)
    most = np.where(share > 0.0, y, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray(np.where(least == most, least, (share * y).sum(axis=0)))


def _design(x: AnyArray, weight: FloatArray, intercept: bool) -> Design:
    """Features that are missing have no weight, and are 0."""
    x = np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0)
    return SharedDesign(x, intercept) if x.ndim == 2 else OwnDesign(x, weight, intercept)


def _margins(problem: _Cells, theta: FloatArray) -> FloatArray:
    z = problem.design.margins(theta)
    return z if problem.offset is None else z + problem.offset


def _descend(
    problem: _Cells, start: FloatArray, alive: AnyArray, loss: Loss, tol: float, max_steps: int
) -> tuple[FloatArray, FloatArray, AnyArray, AnyArray]:
    """(q, C) parameters, (C,) gaps, whether they are proven, and numbers of steps."""
    theta, cells = start.copy(), start.shape[1]
    gap, proven, steps = np.full(cells, np.inf), np.zeros(cells, dtype=bool), np.zeros(cells, dtype=np.int64)
    reached, active = np.zeros(cells, dtype=bool), np.flatnonzero(alive)
    for _ in range(max_steps):
        if not len(active):
            break
        part = problem if len(active) == cells else problem.taken(active)
        own = theta[:, active]
        moved, bound, proof = _step(part, own, loss, tol)
        theta[:, active], gap[active], proven[active] = moved, bound, proof
        steps[active] += 1
        # a step more than the gap asks for squares the error of the coefficients; the gap is that before it
        going = ~((bound <= tol) & reached[active]) & ~(moved == own).all(axis=0)
        reached[active] |= bound <= tol
        active = active[going]
    return theta, gap, proven, steps


def _step(part: _Cells, theta: FloatArray, loss: Loss, tol: float) -> tuple[FloatArray, FloatArray, AnyArray]:
    """A step of Newton's method, and what was known before it: relative gaps, and whether they are proven."""
    z = _margins(part, theta)
    value, slope, curvature = loss.value_slope_curvature(part.y, z)
    objective = (part.share * value).sum(axis=0) + 0.5 * (part.penalty * np.square(theta)).sum(axis=0)
    gradient = part.design.gradient(part.share * slope) + part.penalty * theta
    hessian = part.design.hessian(part.share * curvature)
    q = len(theta)
    hessian[np.arange(q), np.arange(q)] += part.penalty
    factor, sound = cholesky(hessian, _SINGULAR)
    decrement = np.sqrt(np.square(half_solve(factor, gradient)).sum(axis=0))
    unit = np.maximum(objective, part.null / 1000.0)
    bound = 0.5 * np.square(decrement)
    concordance = 0.0 if loss.quadratic else loss.self_concordance
    proof = np.zeros(len(bound), dtype=bool)
    if concordance is not None and (bound <= tol * unit).any():
        radius = concordance * _radius(part, factor)
        bound, proof = self_concordant(decrement, radius), sound
    relative = np.divide(bound, unit, out=np.where(bound > 0.0, np.inf, 0.0), where=unit > 0.0)
    direction = -solve_cholesky(factor, gradient)
    moved = _searched(part, theta, z, direction, objective, gradient, loss)
    return moved, relative, proof


def _radius(part: _Cells, factor: tuple[FloatArray, FloatArray]) -> FloatArray:
    """(C,) the largest norm of a sample in the inverse of the Hessian."""
    columns = part.design.columns()
    lower, scale = factor
    z = np.array(np.broadcast_to(columns, (len(columns), *part.y.shape)) / scale[:, None])
    for j in range(len(z)):
        z[j] = (z[j] - np.einsum("kc,ktc->tc", lower[j, :j], z[:j])) / lower[j, j]
    norms = np.where(part.share > 0.0, np.square(z).sum(axis=0), 0.0)
    return np.asarray(np.sqrt(norms.max(axis=0, initial=0.0)))


def self_concordant(decrement: FloatArray, radius: FloatArray) -> FloatArray:
    """Bounds on F - min F, elementwise; see ``solvers.certificate.self_concordance``."""
    u = radius * decrement
    inside = np.minimum(u, 0.5)
    series = np.square(decrement) * (0.5 + u * (1.0 / 6.0 + u / 12.0))
    closed = (inside + (1.0 - inside) * np.log1p(-inside)) / np.where(radius > 0.0, np.square(radius), 1.0)
    return np.where(u > 0.5, np.inf, np.where(u < 1e-3, series, closed))


def _searched(
    part: _Cells,
    theta: FloatArray,
    z: FloatArray,
    direction: FloatArray,
    objective: FloatArray,
    gradient: FloatArray,
    loss: Loss,
) -> Any:
    """The step along each direction, halved until the objective falls; none where it does not."""
    along = part.design.margins(direction)
    promised = 1e-4 * (gradient * direction).sum(axis=0)
    length = np.ones(theta.shape[1])
    rounding = 8.0 * np.finfo(np.float64).eps * np.abs(objective)
    for _ in range(_HALVINGS):
        value = part.value(loss, z + length * along, theta + length * direction)
        short = ~(value <= objective + length * promised + rounding)
        if not short.any():
            break
        length = np.where(short, 0.5 * length, length)
    else:
        length = np.where(short, 0.0, length)
    return theta + length * direction
