"""Rows that are like each other together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.sparse import issparse

from daskml_dist.errors import InvalidData
from daskml_dist.partition._strategy import Asks, Assignment, PartArray, Strategy
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray, FloatArray

_ITERATIONS = 50
_ROWS = 4096  # at once, so that distances take little memory


@final
@dataclass(frozen=True)
class ByCluster(Strategy):
    """The nearest of ``n_partitions`` centres, by k-means on a sample of the standardised rows.

    Partitions are as unlike, and as unequal, as the data are: for local models, or to try how an
    algorithm bears unlike nodes. k-means++ (Arthur and Vassilvitskii 2007), Lloyd's iterations.

    Attributes
    ----------
    n_partitions : 1 or more.
    seed : of the sample and of the first centres.
    sample_rows : how many rows k-means sees.
    """

    seed: int = 0
    sample_rows: int = 20_000
    asks: ClassVar[Asks] = "features"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        assert features is not None
        rows = np.asarray(features, dtype=np.float64)
        spread = rows.std(axis=0)
        scale = np.where(spread > 0.0, spread, 1.0)
        scaled = rows / scale
        if len(np.unique(scaled, axis=0)) < self.n_partitions:
            raise InvalidData(
                f"The sample of {len(rows)} rows has fewer different rows than n_partitions="
                f"{self.n_partitions}: there are not as many clusters. Ask for fewer partitions."
            )
        centres, nearest = kmeans2(
            scaled,
            self.n_partitions,
            _ITERATIONS,
            minit="++",
            missing="warn",
            rng=np.random.default_rng(self.seed),
        )
        filled = np.bincount(nearest, minlength=self.n_partitions) > 0
        return Nearest(_refilled(centres, filled, scaled), scale)


@final
@dataclass(frozen=True)
class Nearest(Assignment):
    """The nearest centre.

    Attributes
    ----------
    centres : (k, p) in units of the scale.
    scale : (p,) by which features are divided.
    """

    centres: FloatArray
    scale: FloatArray

    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        part = np.empty(rows, dtype=np.int32)
        for start in range(0, rows, _ROWS):
            x = column[start : start + _ROWS]
            x = (x.toarray() if issparse(x) else np.asarray(x, dtype=np.float64)) / self.scale
            if not np.isfinite(x).all():
                row = start + int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
                raise InvalidData(
                    f"Input X contains NaN or infinity (chunk {chunk}, row {row} of it): it is near no "
                    "centre."
                )
            part[start : start + _ROWS] = vq(x, self.centres)[0]
        return part


def _refilled(centres: FloatArray, filled: Any, rows: FloatArray) -> FloatArray:
    """The centres; one that lost all of its rows moves to the row that is farthest from the others."""
    centres = centres.copy()
    for lost in np.flatnonzero(~filled):
        distance = vq(rows, centres[filled])[1]
        centres[lost] = rows[int(distance.argmax())]
        filled[lost] = True
    return centres
