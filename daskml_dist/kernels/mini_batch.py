"""A minibatch: value and gradient over a few rows of each chunk, for one problem or for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.stacked_sweep import stacked_by, swept
from daskml_dist.kernels.sweep import Point, Sweep
from daskml_dist.kernels.view import View, rows_of, views_of
from daskml_dist.kernels.walk import Walk
from daskml_dist.losses import Loss
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class Batch:
    """Sums over the rows of a minibatch, of K problems.

    Attributes
    ----------
    weight_sum, value : (K,) of the weights, and of the weighted losses.
    gradient : (K, q) of the weighted slopes, in the centred coordinates (w, b).
    """

    weight_sum: FloatArray
    value: FloatArray
    gradient: FloatArray


@final
@dataclass(frozen=True)
class MiniBatch(Kernel[Batch]):
    """Ask for value and gradient over one part of a walk: R of them add up to a pass.

    Attributes
    ----------
    loss : the loss.
    point : where, for K problems; one point for all of them where it has the margins of one only.
    views : how each of the problems sees the rows.
    walk : which rows.
    folds : of the splits that the views speak of, or None.
    """

    loss: Loss
    point: Point
    views: tuple[View, ...]
    walk: Walk
    folds: Folds | None = None

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        few = rows_of(chunk, self.walk.rows(chunk.id, chunk.X.shape[0]))
        batch = batch_of(self.loss, self.point, seen(few, self.views, self.folds))
        return Part({"weight_sum": batch.weight_sum, "value": batch.value, "gradient": batch.gradient})

    def finish(self, total: Total) -> Batch:
        return Batch(total.sums["weight_sum"], total.sums["value"], total.sums["gradient"])


def batched(asked: Sequence[tuple[MiniBatch, Chunk]]) -> list[Part]:
    """The parts of these minibatches; those of the same rows are drawn once, and made together."""
    return stacked_by([_key(*one) for one in asked], asked, _stacked, 1)


def _key(asked: MiniBatch, chunk: Chunk) -> tuple[Any, ...]:
    """What must be the same where minibatches are made together."""
    point = asked.point
    rows = id(chunk), asked.walk, id(asked.folds)
    return *rows, repr(asked.loss), point.intercept, point.centre.tobytes()


def _stacked(asked: list[tuple[MiniBatch, Chunk]]) -> list[Part]:
    """The parts of minibatches that differ in their points and views alone."""
    first, chunk = asked[0]
    point = replace(
        first.point,
        w=np.concatenate([one.point.w for one, _ in asked]),
        b=np.concatenate([one.point.b for one, _ in asked]),
    )
    views = tuple(view for one, _ in asked for view in one.views)
    sums = replace(first, point=point, views=views).chunk(chunk).sums
    cuts = np.cumsum([len(one.views) for one, _ in asked])[:-1]
    pieces = [np.split(values, cuts) for values in sums.values()]
    return [Part(dict(zip(sums, own, strict=True))) for own in zip(*pieces, strict=True)]


def seen(chunk: Chunk, views: Sequence[View], folds: Folds | None = None) -> list[Chunk]:
    """The chunk as each of these problems sees it."""
    known = views_of(views, chunk, folds)
    return [known[view] for view in views]


def batch_of(loss: Loss, point: Point, chunks: Sequence[Chunk]) -> Batch:
    """The sums over all rows of a chunk, as each problem sees them."""
    asked = []
    for k, chunk in enumerate(chunks):
        shared = point.joint or len(point.w) == 1
        own = point if shared else replace(point, w=point.w[[k]], b=point.b[[k]])
        asked.append((Sweep(loss, own), chunk))
    sums = [part.sums for part in swept(asked)]
    return Batch(
        np.array([float(own["weight_sum"]) for own in sums]),
        np.concatenate([own["value"] for own in sums]),
        np.concatenate([own["gradient"] for own in sums]),
    )
