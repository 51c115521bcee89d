"""The sweep: value and gradient of the loss, and on request Hessian, radius and trial steps, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.sparse import issparse

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import aligned_pieces
from daskml_dist.kernels.joint_sums import JointSums
from daskml_dist.kernels.packing import pack, unpack
from daskml_dist.kernels.rows import SparseRows, blocks, pieces, squares
from daskml_dist.kernels.weights import weighted
from daskml_dist.losses import Loss, ScaledLoss
from daskml_dist.types import AnyArray, Chunk, FloatArray

#: losses that compiled_sweep.py has as well, by name
_LEAST_SHARE = 1e-2
COMPILED_LOSSES = frozenset({"squared", "logistic", "poisson"})
_SPARSE = 0.7  # share of rows with curvature below which it pays to pick them out


@final
@dataclass(frozen=True, slots=True)
class Point:
    """Where the objective is asked for, for K problems: z = (x - centre) @ w + b + offset.

    Centring keeps the Hessian well conditioned when the data are far from the origin. Where the K margins
    are ``joint``, they belong to one problem, whose parameters are those of all margins.

    Attributes
    ----------
    w : (K, p) coefficients.
    b : (K,) intercepts at the centre.
    centre : (p,).
    intercept : whether b is free; if not, b and centre are zero and have no derivative.
    scale : (K,) of a loss that learns one (``ScaledLoss``), or None.
    joint : whether the margins are those of one problem (``JointLoss``).
    """

    w: FloatArray
    b: FloatArray
    centre: FloatArray
    intercept: bool
    scale: FloatArray | None = None
    joint: bool = False

    @property
    def raw_intercept(self) -> FloatArray:
        """(K,) intercepts of z = x @ w + intercept + offset."""
        return np.asarray(self.b - self.w @ self.centre)

    @property
    def problems(self) -> int:
        """How many problems these margins belong to."""
        return 1 if self.joint else self.w.shape[0]

    @property
    def coefficients(self) -> FloatArray:
        """(p,) of the first problem, or (K p,) of a joint one: what a penalty looks at."""
        return self.w.reshape(-1) if self.joint else self.w[0]

    @property
    def theta(self) -> FloatArray:
        """(K, q) all free parameters: coefficients, intercept if there is one, scale if there is one.

        Of joint margins: (1, K q), the coefficients of all margins before the intercepts.
        """
        if self.joint:
            return np.concatenate([self.w.reshape(-1)] + [self.b] * self.intercept)[None]
        parts = [self.w] + [self.b] * self.intercept + ([] if self.scale is None else [self.scale])
        return np.column_stack(parts) if len(parts) > 1 else self.w

    def at(self, theta: FloatArray) -> Point:
        """The point with these free parameters, of the shape of ``theta``."""
        p = self.w.shape[1]
        if self.joint:
            w = theta[0, : self.w.size].reshape(self.w.shape)
            b = theta[0, self.w.size :] if self.intercept else np.zeros(len(w))
            return Point(w, b, self.centre, self.intercept, None, True)
        b = theta[:, p] if self.intercept else np.zeros(theta.shape[0])
        scale = None if self.scale is None else theta[:, -1]
        return Point(theta[:, :p], b, self.centre, self.intercept, scale)


@final
@dataclass(frozen=True, slots=True)
class SweepAnswer:
    """Sums over rows of the weighted loss and of its derivatives.

    Attributes
    ----------
    rows : n.
    weight_sum : sum of the weights.
    value : (K,).
    gradient : (K, q), in the centred coordinates (w, b).
    trials : (K, T) values at the trial steps.
    hessian : (K, q, q), or None.
    radius : the largest ``|L^-1 (x - centre, 1)|`` over rows with weight, or None.
    diagonal : (K, q) the diagonal of the Hessian, or None.
    rising : (1 + q,) value and gradient over the rows alone whose slope is above zero, or None.
    """

    rows: int
    weight_sum: float
    value: FloatArray
    gradient: FloatArray
    trials: FloatArray
    hessian: FloatArray | None
    radius: float | None
    diagonal: FloatArray | None = None
    rising: FloatArray | None = None


@final
@dataclass(frozen=True)
class Sweep(Kernel[SweepAnswer]):
    """Ask for value and gradient of sum_i s_i loss(y_i, z_i) at a point.

    Attributes
    ----------
    loss : the loss.
    point : where.
    direction : (K, q) a direction d for the trial steps, or None.
    steps : the values are wanted at theta + t d for these t as well.
    hessian : whether the Hessian is wanted.
    factor : (q, q) lower Cholesky factor L of a metric, if the radius in that metric is wanted.
    compiled : whether the data are large enough to be worth the import of a compiler, where value and
        gradient are all that is wanted (compiled_sweep.py). The last bits of the sums depend on it.
    diagonal : whether the diagonal of the Hessian is wanted.
    columns : features of which the Hessian is wanted, beside the intercept; None for all.
    rising : whether value and gradient over the rows alone are wanted whose slope is above zero, as for a
        bound of F from below (solvers/dual_bound.py); of one problem.
    """

    loss: Loss
    point: Point
    direction: FloatArray | None = None
    steps: tuple[float, ...] = ()
    hessian: bool = False
    factor: FloatArray | None = None
    compiled: bool = False
    diagonal: bool = False
    columns: AnyArray | None = None
    rising: bool = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        sums = JointSums(self) if self.point.joint else _Sums(self, chunk.X)
        weight_sum = float(chunk.X.shape[0] if chunk.weight is None else chunk.weight.sum())
        if isinstance(sums, _Sums) and self._compiles(chunk.X):
            sums.add_compiled(chunk)
            return sums.part(weight_sum)
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far: the solver sees infinity
            for where, x in blocks(chunk.X, sums.tall, margins=len(self.point.w), dense=sums.dense):
                weight = None if chunk.weight is None else chunk.weight[where]
                offset = None if chunk.offset is None else chunk.offset[where]
                sums.add(x, chunk.y[where], weight, offset)
        return sums.part(weight_sum)

    @property
    def loss_at_scale(self) -> Loss:
        """The loss, with the scale of the point where it has one."""
        if self.point.scale is None:
            return self.loss
        assert isinstance(self.loss, ScaledLoss) and self.point.scale.shape == (1,)
        return self.loss.at_scale(float(self.point.scale[0]))

    @property
    def plain(self) -> bool:
        """Whether value and gradient of one problem are asked for, and nothing else."""
        extras = self.steps or self.hessian or self.diagonal or self.rising or self.factor is not None
        one = len(self.point.w) == 1 and not self.point.joint
        return not extras and one and not isinstance(self.loss, ScaledLoss)

    def _compiles(self, X: AnyArray) -> bool:
        """Whether compiled loops answer the question for a chunk."""
        dense = not issparse(X) and X.shape[1] > 0
        return self.compiled and self.plain and dense and self.loss.name in COMPILED_LOSSES

    def finish(self, total: Total) -> SweepAnswer:
        radius2 = total.maxima.get("radius2")
        packed = total.sums.get("hessian")
        return SweepAnswer(
            total.rows,
            float(total.sums["weight_sum"]),
            total.sums["value"],
            total.sums["gradient"],
            total.sums["trials"],
            None if packed is None else np.stack([unpack(h) for h in packed]),
            None if radius2 is None else float(np.sqrt(radius2)),
            total.sums.get("diagonal"),
            total.sums.get("rising"),
        )


class _Sums:
    """Running sums over the row blocks of one chunk."""

    def __init__(self, ask: Sweep, X: AnyArray) -> None:
        self.ask = ask
        p = X.shape[1]
        self.loss = ask.loss_at_scale
        self.single = ask.point.w.shape[0] == 1
        self.w = ask.point.w[0] if self.single else ask.point.w.T  # (p,) or (p, K)
        self.shift = ask.point.raw_intercept[0] if self.single else ask.point.raw_intercept
        problems, q = ask.point.theta.shape
        self.value = np.zeros(problems)
        self.slopes = np.zeros(problems)
        self.scale_slopes = 0.0
        # whether the centred rows are formed anyway
        self.centred = ask.hessian or ask.diagonal or ask.rising or ask.factor is not None
        self.dense = isinstance(self.loss, ScaledLoss)  # whether sparse rows are made dense
        self.centred = self.centred or bool(issparse(X)) or self.dense
        wide = p if ask.columns is None else len(ask.columns)
        self.tall = 2 * wide if self.centred else 1  # rows of a block
        self.gradient = np.zeros((problems, q if self.centred else p))
        self.trials = np.zeros((problems, len(ask.steps)))
        h = q - p + wide
        self.hessian = [np.zeros((h, h), order="F") for _ in range(problems)] if ask.hessian else []
        self.diagonal = np.zeros((problems, q))
        self.rising = np.zeros(1 + q)
        self.radius2 = 0.0
        self._rooms: dict[str, FloatArray] = {}
        if ask.factor is not None:
            # a product with the inverse takes a quarter of the time that solving takes, row by row
            self.whitener = solve_triangular(ask.factor, np.eye(q), lower=True, check_finite=False).T

    def add(self, x: FloatArray, y: FloatArray, weight: FloatArray | None, offset: FloatArray | None) -> None:
        """Add a block: x (B, p), y (B,), weight and offset (B,) or None."""
        z = x @ self.w  # (B, p) @ (p,) -> (B,), or (B, K)
        z += self.shift
        if offset is not None:
            z += offset if self.single else offset[:, None]
        if not self.single:
            y = np.broadcast_to(y[:, None], z.shape)
        curvature = None
        if self.ask.hessian or self.ask.diagonal:
            value, slope, curvature = self.loss.value_slope_curvature(y, z)
        else:
            value, slope = self.loss.value_slope(y, z)
        s = weight if weight is None or self.single else weight[:, None]
        if s is not None:
            value, slope = weighted(s, value), weighted(s, slope)
        self.value += value.sum(axis=0)
        self.slopes += slope.sum(axis=0)
        rows = self._extended(x, y, z) if self.centred else x
        self.gradient += slope @ rows if self.single else slope.T @ rows
        if self.ask.rising:
            up = slope > 0.0
            self.rising[0] += value[up].sum()
            self.rising[1:] += np.where(up, slope, 0.0) @ rows
        if isinstance(self.loss, ScaledLoss):
            by_scale = self.loss.scale_slope(y, z)
            self.scale_slopes += float((by_scale if s is None else weighted(s, by_scale)).sum())
        if self.ask.steps:
            self._add_trials(x, y, z, s)
        if curvature is not None and isinstance(self.loss, ScaledLoss):
            curvature = np.maximum(curvature, steadying(curvature) * self.loss.reweighted(y, z))
        if curvature is not None:
            curvature = curvature if s is None else weighted(s, curvature)
            if self.hessian and self.hessian[0].size:
                self._add_hessian(self._wanted(rows), curvature)
            if self.ask.diagonal:
                self.diagonal += squares(rows, curvature.T)
        if self.ask.factor is not None:
            for where, piece in pieces(rows):
                self._add_radius(piece, None if weight is None else weight[where])

    def add_compiled(self, chunk: Chunk) -> None:
        """Add a whole chunk in compiled loops."""
        from daskml_dist.kernels.compiled_sweep import CompiledSums, block_rows  # half a second, once

        assert chunk.X is not None and chunk.y is not None
        sums = CompiledSums(self.ask.loss.name, self.w, float(self.shift))
        for where, x in aligned_pieces(chunk.X, block_rows(chunk.X.shape[1])):
            weight = None if chunk.weight is None else chunk.weight[where]
            offset = None if chunk.offset is None else chunk.offset[where]
            sums.add(x, chunk.y[where], weight, offset)
        self.value += sums.value
        self.slopes += sums.slopes
        self.gradient += sums.gradient

    def _add_trials(self, x: FloatArray, y: FloatArray, z: FloatArray, s: FloatArray | None) -> None:
        assert self.ask.direction is not None
        along = self.ask.point.at(self.ask.direction)
        change = x @ (along.w[0] if self.single else along.w.T)
        change += along.raw_intercept[0] if self.single else along.raw_intercept
        for column, step in enumerate(self.ask.steps):
            loss = self.loss
            if isinstance(loss, ScaledLoss) and along.scale is not None:
                loss = loss.at_scale(loss.scale + step * float(along.scale[0]))
            value = loss.value(y, z + step * change)
            self.trials[:, column] += (value if s is None else weighted(s, value)).sum(axis=0)

    def _wanted(self, rows: FloatArray | SparseRows) -> FloatArray | SparseRows:
        """The rows, of the features whose Hessian is wanted."""
        columns = self.ask.columns
        if columns is None:
            return rows
        if isinstance(rows, SparseRows):
            return rows.of(columns)
        return rows[:, np.append(columns, np.arange(len(self.w), rows.shape[1]))]

    def _add_hessian(self, centred: FloatArray | SparseRows, curvature: FloatArray) -> None:
        """Add sum of curvature x x'; rows without curvature, as outside a margin, cost nothing."""
        few = self.single and np.count_nonzero(curvature) < _SPARSE * curvature.size
        if few and isinstance(centred, np.ndarray):
            curved = curvature != 0.0
            centred, curvature = centred[curved], curvature[curved]
        for k, hessian in enumerate(self.hessian):
            by_row = curvature if self.single else curvature[:, k]
            if isinstance(centred, SparseRows):
                hessian += centred.gram(by_row)
                continue
            root = np.sqrt(by_row)
            # syrk on sqrt(curvature) x: half the work of a general product
            scaled = np.multiply(centred, root[:, None], out=self._room("scaled", *centred.shape))
            self.hessian[k] = dsyrk(1.0, scaled.T, beta=1.0, c=hessian, lower=1, overwrite_c=1)

    def _add_radius(self, centred: FloatArray, weight: FloatArray | None) -> None:
        if weight is not None:
            centred = centred[weight > 0]
        if centred.shape[0]:
            scaled = centred @ self.whitener
            self.radius2 = max(self.radius2, float(np.einsum("ij,ij->i", scaled, scaled).max()))

    def _room(self, name: str, rows: int, columns: int) -> FloatArray:
        """Memory for a block, the same for each one: a worker of Dask maps what is large anew each time."""
        held = self._rooms.get(name)
        if held is None or len(held) < rows:
            held = self._rooms[name] = np.empty((rows, columns))
        return held[:rows]

    def _extended(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray | SparseRows:
        """(B, q): the centred rows, ones with an intercept, and the direction of a scale."""
        if issparse(x):
            return SparseRows(x, self.ask.point.centre, self.ask.point.intercept)
        p, q = x.shape[1], self.ask.point.theta.shape[1]
        if p == q:
            return x
        extended = self._room("extended", x.shape[0], q)
        np.subtract(x, self.ask.point.centre, out=extended[:, :p])
        if self.ask.point.intercept:
            extended[:, p] = 1.0
        if isinstance(self.loss, ScaledLoss):
            extended[:, -1] = self.loss.scale_direction(y, z)
        return extended

    def part(self, weight_sum: float) -> Part:
        """What the chunk contributes, in the centred coordinates."""
        gradient = self.gradient
        if isinstance(self.loss, ScaledLoss):
            gradient[:, -1] = self.scale_slopes
        if self.ask.point.intercept and not self.centred:
            gradient = gradient - np.outer(self.slopes, self.ask.point.centre)
            gradient = np.column_stack([gradient, self.slopes])
        sums: dict[str, AnyArray] = {
            "weight_sum": np.asarray(weight_sum),
            "value": self.value,
            "gradient": gradient,
            "trials": self.trials,
        }
        if self.hessian:
            sums["hessian"] = np.stack([pack(hessian) for hessian in self.hessian])
        if self.ask.diagonal:
            sums["diagonal"] = self.diagonal
        if self.ask.rising:
            sums["rising"] = self.rising
        maxima: dict[str, Any] = {}
        if self.ask.factor is not None:
            maxima["radius2"] = np.asarray(self.radius2)
        return Part(sums, maxima)


def steadying(curvature: FloatArray) -> float:
    """The share of reweighted curvature that rows without any curvature get.

    A few of them are no harm; where there are many, a Newton step would not know where to end.
    """
    return max(_LEAST_SHARE, float(np.mean(curvature == 0.0)) ** 2)
