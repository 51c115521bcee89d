"""The lower model of a loss with kinks: exact for the rows near a kink, a line for each of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from scipy.optimize import linprog

from daskml_dist.kernels import KinkAnswer, Point
from daskml_dist.losses import PiecewiseLinear, Smoothed
from daskml_dist.solvers._base import Problem
from daskml_dist.types import Chunk, FloatArray

_TOLERANCES = (1e-10, 1e-7)  # of feasibility, the first for which the program is solved


@final
@dataclass(frozen=True)
class Told:
    """What all rows tell of a point, and of the minimum.

    Attributes
    ----------
    answer : of the sweep, without the rows that were gathered.
    bound : F is nowhere below; -inf where that is not known.
    step : (q,) from the point to the minimum of the lower model, or None.
    """

    answer: KinkAnswer
    bound: float = -np.inf
    step: FloatArray | None = None


@final
@dataclass(frozen=True)
class LowerModel:
    """Minimise the lower model by a linear program, inside the task that gathered its rows.

    A row that is far from its kink has a loss that is a line wherever the solution can be, so that all of
    these rows are worth one line together (Portnoy and Koenker 1997, "The Gaussian hare and the Laplacian
    tortoise", section 4). A line of each row is never above its loss; therefore the minimum of the model
    is a lower bound of F, whichever rows were gathered, and where it is F at its own minimum, it is the
    minimum of F. The penalty is that of absolute values or none.
    """

    problem: Problem
    point: Point

    def __call__(self, answer: KinkAnswer) -> Told:
        assert answer.near is not None
        bare = replace(answer, near=None)
        program = _Program.of(self.problem, self.point, answer, answer.near)
        if not program.residual.size:
            return Told(bare)
        for tolerance in _TOLERANCES:
            solved = program.solved(tolerance)
            if solved is not None:
                bound, step = solved
                return Told(bare, bound / answer.answer.weight_sum, step)
        return Told(bare)


@final
@dataclass(frozen=True)
class _Program:
    """max over v, c of constant + r'v + w'c, s.t. A'v - (c, 0) = line, low <= v <= high, |c| <= l1.

    It is the dual of the least of constant + line'd + sum of the losses of the gathered rows + l1 |w + d|_1,
    which has as many constraints as parameters; its multipliers are the step d. A penalty
    that is not there has no c.
    """

    rows: FloatArray  # (m, q) A, a row for each kink of each gathered row
    residual: FloatArray  # (m,) r, how far the kink is above the margin
    low: FloatArray  # (m,)
    high: FloatArray
    constant: float
    line: FloatArray  # (q,)
    w: FloatArray  # (p,) coefficients at the point, for which there is a penalty; or (0,)
    l1: float

    @classmethod
    def of(cls, problem: Problem, point: Point, answer: KinkAnswer, near: Chunk) -> _Program:
        assert near.X is not None and near.y is not None and isinstance(problem.loss, PiecewiseLinear)
        z = near.X @ point.w[0] + point.raw_intercept[0]
        if near.offset is not None:
            z += near.offset
        s = np.ones(z.size) if near.weight is None else near.weight
        rows = near.X - point.centre
        if point.intercept:
            rows = np.column_stack([rows, np.ones(z.size)])
        sides = []
        for kink, pull, _ in Smoothed(problem.loss, answer.width).pulls(near.y, z):
            u = kink.at - z
            sides.append((rows, u, s * kink.low, s * kink.high, s * pull))
        A, residual, low, high, taken = (np.concatenate(parts) for parts in zip(*sides, strict=True))
        l1 = float(np.max(problem.penalty.l1)) * answer.answer.weight_sum
        return cls(
            A,
            residual,
            low,
            high,
            answer.line - float(taken @ residual),
            answer.answer.gradient[0] + A.T @ taken,
            point.w[0] if l1 > 0.0 else np.zeros(0),
            l1,
        )

    def solved(self, tolerance: float) -> tuple[float, FloatArray] | None:
        """The maximum, less what its constraints are not met by; and (q,) the multipliers."""
        m, p = self.residual.size, self.w.size
        unit = float((self.high - self.low).max())
        reach = float(np.abs(self.residual).max()) or 1.0
        scale = np.sqrt(np.square(self.rows).mean(axis=0))
        scale[scale == 0.0] = 1.0
        penalised = np.zeros((len(scale), p))
        penalised[:p, :p] = -np.eye(p)
        most = self.l1 / (unit * scale[:p])
        found: Any = linprog(
            -np.concatenate([self.residual / reach, self.w * scale[:p] / reach]),
            A_eq=np.hstack([(self.rows / scale).T, penalised]),
            b_eq=self.line / (unit * scale),
            bounds=np.concatenate(
                [np.column_stack([self.low, self.high]) / unit, np.column_stack([-most, most])]
            ),
            method="highs-ds",
            options={"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": tolerance},
        )
        if found.status != 0:
            return None
        step = -found.eqlin.marginals * reach / scale
        v = np.clip(found.x[:m] * unit, self.low, self.high)
        c = np.clip(found.x[m:] * unit * scale[:p], -self.l1, self.l1)
        missed = self.line - self.rows.T @ v
        missed[:p] += c
        value = self.constant + float(self.residual @ v) + float(self.w @ c)
        return value - float(np.abs(missed) @ np.abs(step)), step
