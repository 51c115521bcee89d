"""Local steps: each chunk descends by itself from the same point, and their ends are averaged by rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.mini_batch import Batch, batch_of, seen
from daskml_dist.kernels.stepping import Stepping
from daskml_dist.kernels.sweep import Point
from daskml_dist.kernels.view import View, rows_of
from daskml_dist.kernels.walk import Walk
from daskml_dist.losses import Loss
from daskml_dist.optimizers import OptimizerState
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class Averaged:
    """What the descents of all chunks come to.

    Attributes
    ----------
    theta, mean : (K, q) weighted means of their ends, and of the averages of their ways.
    batch : sums of the weights, losses and slopes that they met; the slopes are not asked for, and zero.
    """

    theta: FloatArray
    mean: FloatArray
    batch: Batch


@final
@dataclass(frozen=True)
class LocalSteps(Kernel[Averaged]):
    """Descend over one part of a walk, in as many steps as there are rows for.

    With an anchor, steps follow f_k'(theta) - f_k'(anchor) + g instead of f_k'(theta), where f_k is the mean
    loss of the rows of the step and g the slope of all rows at the anchor: then nodes whose rows are
    unlike do not part (Karimireddy et al. 2020, "SCAFFOLD"; Mitra et al. 2021, "FedLin"), and rows of one
    node that are unlike do not add noise either (Johnson and Zhang 2013, "SVRG").

    Attributes
    ----------
    loss : the loss.
    point : where all begin, for K problems.
    views : how each of the problems sees the rows.
    walk : which rows.
    stepping : from a gradient to the next point.
    memory : of the optimizer; each chunk begins with it, and forgets it.
    steps : how many are made at most.
    least : rows that a step has at least, where the part has so many.
    total : what the learning rates of all steps add up to; None for those of the optimizer.
    leverage : the least rows of a step for each unit of its learning rate; see ``Chosen``.
    slopes : (K, q) the mean slope of the loss over all rows at ``point``, the anchor; or None without one.
    folds : of the splits that the views speak of, or None.
    """

    loss: Loss
    point: Point
    views: tuple[View, ...]
    walk: Walk
    stepping: Stepping
    memory: OptimizerState
    steps: int
    least: int
    total: float | None
    leverage: float
    slopes: FloatArray | None = None
    folds: Folds | None = None

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        rows = self.walk.rows(chunk.id, chunk.X.shape[0])
        steps = min(max(len(rows) // self.least, 1), self.steps)
        theta, memory = self.point.theta, self.memory
        way, value, weight = np.zeros_like(theta), np.zeros(len(theta)), np.zeros(len(theta))
        with np.errstate(over="ignore", invalid="ignore"):  # the driver sees what is not finite
            for h in range(steps if len(rows) else 0):
                few = rows_of(chunk, rows[len(rows) * h // steps : len(rows) * (h + 1) // steps])
                parts = seen(few, self.views, self.folds)
                at = self.stepping.optimizer.at(memory, theta)
                batch = batch_of(self.loss, self.point.at(at), parts)
                gradient = self.stepping.with_penalty(self._slopes(batch, parts), at)
                rate = self._rate(len(rows) / steps, steps)
                theta, memory = self.stepping.moved(theta, gradient, memory, rate)
                ended = self.stepping.optimizer.model(memory, theta)
                way = way + 2.0 / (h + 2.0) * (ended - way) if h else ended  # late iterates weigh more
                value, weight = value + batch.value, weight + batch.weight_sum
        s = weight[:, None]
        theta, way = (np.where(s > 0.0, s * x, 0.0) for x in (theta, way))
        return Part({"weight": weight, "value": value, "theta": theta, "way": way})

    def _slopes(self, batch: Batch, parts: list[Chunk]) -> FloatArray:
        """(K, q) the slope of the mean loss of these rows, or that corrected by the anchor."""
        s = batch.weight_sum[:, None]
        if self.slopes is None:
            return np.divide(batch.gradient, s, out=np.zeros_like(batch.gradient), where=s > 0.0)
        there = batch_of(self.loss, self.point, parts)
        change = batch.gradient - there.gradient
        return self.slopes + np.divide(change, s, out=np.zeros_like(change), where=s > 0.0)

    def _rate(self, rows: float, steps: int) -> float | None:
        """The learning rate of a step over so many rows."""
        if self.total is None:
            return None
        return min(self.total / steps, 1.0, rows / max(self.leverage, 1e-300))

    def finish(self, total: Total) -> Averaged:
        sums = total.sums
        s = sums["weight"][:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            theta, way = (
                np.divide(sums[name], s, out=self.point.theta.copy(), where=s > 0.0)
                for name in ("theta", "way")
            )
        batch = Batch(sums["weight"], sums["value"], np.zeros_like(theta))
        return Averaged(theta, way, batch)
