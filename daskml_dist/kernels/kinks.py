"""The sweep of a loss with kinks: smoothed, as it is, and the rows that are nearest to a kink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.rows import dense
from daskml_dist.kernels.sample import joined
from daskml_dist.kernels.sweep import Sweep, SweepAnswer
from daskml_dist.kernels.view import rows_of
from daskml_dist.kernels.weights import weighted
from daskml_dist.losses import Smoothed
from daskml_dist.types import AnyArray, Chunk, FloatArray


@final
@dataclass(frozen=True)
class KinkAnswer:
    """What all rows tell of a loss with kinks at a point.

    Attributes
    ----------
    answer : of the sweep with the smoothed loss.
    width : of the smoothed kinks.
    value : sum of the weighted losses as they are.
    line : sum of the weighted lines below the losses, at the point; their slopes are those of ``answer``.
    lean : (q,) sum of weighted rows that are within the smoothed kinks, times u / width, u as in ``Kink``.
    inside : how many rows with weight are there.
    near : the rows with weight that are nearest to a kink; None where none were asked for.
    """

    answer: SweepAnswer
    width: float
    value: float
    line: float
    lean: FloatArray
    inside: int
    near: Chunk | None


@final
@dataclass(frozen=True)
class KinkSweep(Kernel[KinkAnswer]):
    """Ask for a sweep with a smoothed loss, and what the loss itself is worth.

    Attributes
    ----------
    sweep : with a smoothed loss, for one problem.
    near : how many rows are wanted, those nearest to a kink.
    """

    sweep: Sweep
    near: int = 0

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        part = self.sweep.chunk(chunk)
        point, n, p = self.sweep.point, *chunk.X.shape
        sums, distance, lean = np.zeros(4), np.empty(n), np.zeros(p)
        with np.errstate(over="ignore", invalid="ignore"):
            for where, x in row_blocks(chunk.X):
                y = chunk.y[where]
                z = x @ point.w[0] + point.raw_intercept[0]
                if chunk.offset is not None:
                    z += chunk.offset[where]
                parts, distance[where] = self._parts(y, z)
                if chunk.weight is not None:
                    counted = chunk.weight[where]
                    parts[:3] = weighted(counted, parts[:3])
                    parts[3] *= counted > 0.0
                sums += parts.sum(axis=1)
                lean += parts[2] @ x
        lean = np.append(lean - sums[2] * point.centre, [sums[2]] * point.intercept)
        named = dict(zip(("loss", "line", "inside"), sums[[0, 1, 3]], strict=True))
        gathered = {chunk.id: self._nearest(chunk, distance)} if self.near else {}
        return Part({**part.sums, **named, "lean": lean}, part.maxima, gathered)

    @property
    def _loss(self) -> Smoothed:
        assert isinstance(self.sweep.loss, Smoothed)
        return self.sweep.loss

    def _parts(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(4, rows) losses, lines, leans, whether within a smoothed kink; (rows,) distance from a kink."""
        parts, distance = np.zeros((4, z.size)), np.full(z.size, np.inf)
        parts[0] = self._loss.loss.value(y, z)
        for kink, pull, inside in self._loss.pulls(y, z):
            u = kink.at - z
            parts[1] += pull * u
            parts[2] += np.where(inside, u / self._loss.width, 0.0)
            parts[3] = np.maximum(parts[3], inside)
            distance = np.minimum(distance, np.abs(u))
        return parts, distance

    def _nearest(self, chunk: Chunk, distance: FloatArray) -> tuple[FloatArray, Chunk]:
        rows = np.arange(distance.size) if chunk.weight is None else np.flatnonzero(chunk.weight > 0.0)
        rows = np.sort(rows[np.argsort(distance[rows], kind="stable")[: self.near]])
        return distance[rows], _rows(chunk, rows)

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        """Of all rows those that are nearest; of rows that are equally near, the first of the table."""
        keys = sorted(gathered)
        sizes = [gathered[key][0].size for key in keys]
        if sum(sizes) <= self.near:
            return gathered
        order = np.argsort(np.concatenate([gathered[key][0] for key in keys]), kind="stable")
        kept = np.zeros(len(order), dtype=bool)
        kept[order[: self.near]] = True
        folded = {}
        for key, mask in zip(keys, np.split(kept, np.cumsum(sizes)[:-1]), strict=True):
            distance, chunk = gathered[key]
            folded[key] = (distance[mask], _rows(chunk, np.flatnonzero(mask)))
        return folded

    def finish(self, total: Total) -> KinkAnswer:
        sums = total.sums
        near = joined({key: rows for key, (_, rows) in total.gathered.items()}) if self.near else None
        return KinkAnswer(
            self.sweep.finish(total),
            self._loss.width,
            float(sums["loss"]),
            float(sums["line"]),
            sums["lean"],
            int(sums["inside"]),
            near,
        )


def _rows(chunk: Chunk, rows: AnyArray) -> Chunk:
    """Some rows of a chunk, with float64 features."""
    near = rows_of(chunk, rows)
    return replace(near, X=np.ascontiguousarray(dense(near.X), dtype=np.float64), groups=None)
