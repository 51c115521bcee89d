"""How answers depend on one or two features, averaged over all rows, in one sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, final

import numpy as np
from scipy.stats.mstats import mquantiles

from daskml_dist.errors import InvalidData
from daskml_dist.explanation.answering import Answering, answering
from daskml_dist.explanation.sweeping import (
    Draw,
    Drawn,
    Rows,
    first_drawn,
    held,
    matrix,
    merged,
    weights_of,
)
from daskml_dist.kernels import Kernel, Part, Total
from daskml_dist.types import Chunk, FloatArray

_DRAWN = 10_000


@final
@dataclass(frozen=True, eq=False)
class Dependence:
    """Answers at the points of a grid.

    Attributes
    ----------
    features : the names of the one or two features.
    grid_values : for each, the values at which it was set.
    average : (k, points) or (k, points, points) mean answers; k outputs (one for two classes).
    individual : (k, rows, points...) the curves of some rows, or None.
    """

    features: tuple[str, ...]
    grid_values: tuple[FloatArray, ...]
    average: FloatArray
    individual: FloatArray | None


def partial_dependence(
    model: Any,
    X: Any,
    features: Sequence[str | int],
    *,
    grid: Sequence[Any] | None = None,
    grid_resolution: int = 100,
    percentiles: tuple[float, float] = (0.05, 0.95),
    individual: int = 0,
    sample_weight: Any = None,
    random_state: int = 0,
    scheduler: Any = None,
) -> Dependence:
    r"""The mean answer when features are set to given values in every row (Friedman 2001).

    .. math::

        f_S(v) = \frac{\sum_i s_i f(v, x_{i, -S})}{\sum_i s_i}

    What scikit-learn's ``partial_dependence(method="brute")`` gives on the same grid, without bringing the
    rows together. Answers are numbers, or probabilities (of two classes that of the second), or margins
    where the model knows none.

    Parameters
    ----------
    model : fitted classifier or regressor of this library or scikit-learn, or an ``edge.Model``.
    X : (n, p) numbers in any container.
    features : one name or position, or two for their joint dependence, in a list.
    grid : for each feature the values to set it to; None makes them as scikit-learn does, from all rows or
        from 10,000 of them that are drawn in one more sweep.
    grid_resolution, percentiles : of a grid that is made: how many values, and between which percentiles.
    individual : how many rows' own curves to give back too (ICE, Goldstein et al. 2015); they are drawn.
    sample_weight : (n,) weights, one number, or None.
    random_state : whole number, for what is drawn.
    scheduler : see ``metrics.accuracy_score``.

    Returns
    -------
    Dependence.

    Raises
    ------
    InvalidData
        For data or a grid that cannot be used, and unknown features.
    TypeError
        For what is no model.
    """
    asked = answering(model)
    if isinstance(features, str) or len(features) not in (1, 2):
        raise InvalidData(f"features={features!r}; give a list of one feature or two")
    with held(X, None, sample_weight, scheduler) as rows:
        chosen = rows.places(features)
        if grid is None:
            values = _made(rows, chosen, grid_resolution, percentiles, random_state)
        else:
            values = _given(grid, len(chosen))
        found = rows.ask(_Set(asked, chosen, values, individual, random_state))
    shape = tuple(len(axis) for axis in values)
    average = found.average.reshape(-1, *shape)
    curves = found.individual
    if curves is not None:
        curves = np.moveaxis(curves, 2, 0).reshape(len(average), len(curves), *shape)
    return Dependence(tuple(rows.names[j] for j in chosen), values, average, curves)


def _given(grid: Sequence[Any], features: int) -> tuple[FloatArray, ...]:
    if len(grid) != features:
        raise InvalidData(f"grid has values for {len(grid)} features; {features} were given")
    values = tuple(np.array(axis, dtype=np.float64) for axis in grid)
    for axis in values:
        if axis.ndim != 1 or not len(axis) or not np.isfinite(axis).all():
            raise InvalidData("grid takes a list of finite values for each feature")
    return values


def _made(
    rows: Rows, chosen: tuple[int, ...], resolution: int, percentiles: tuple[float, float], seed: int
) -> tuple[FloatArray, ...]:
    """scikit-learn's grids: the different values where they are few, else from percentile to percentile."""
    if resolution < 2 or not 0.0 <= percentiles[0] < percentiles[1] <= 1.0:
        raise InvalidData(f"grid_resolution={resolution}, percentiles={percentiles}: no grid has these")
    drawn = rows.ask(Draw(_DRAWN, seed))
    grids = []
    for feature in chosen:
        different = np.unique(drawn[:, feature])
        if len(different) >= resolution:
            low, high = mquantiles(drawn[:, feature], prob=percentiles)
            if np.allclose(low, high):
                raise InvalidData(f"the percentiles {percentiles} are too close: most rows have one value")
            different = np.linspace(low, high, num=resolution)
        grids.append(different.astype(np.float64))
    return tuple(grids)


@final
@dataclass(frozen=True)
class _Curves:
    """average : (k, points). individual : (rows, points, k), or None."""

    average: FloatArray
    individual: FloatArray | None


@final
@dataclass(frozen=True)
class _Set(Kernel[_Curves]):
    """Answers with features set to each point of the grid, in all rows."""

    asked: Answering
    chosen: tuple[int, ...]
    values: tuple[FloatArray, ...]
    individual: int
    seed: int

    def chunk(self, chunk: Chunk) -> Part:
        X, weight = matrix(chunk), weights_of(chunk)
        chance, first = first_drawn(chunk.id, len(X), self.individual, self.seed)
        totals, curves = [], []
        for point in product(*self.values):
            X[:, self.chosen] = point
            answers = self.asked.response(X)
            totals.append(weight @ answers)
            curves.append(answers[first])
        gathered = {}
        if self.individual:
            numbers = np.full(len(first), chunk.id)
            gathered[chunk.id] = Drawn(chance, numbers, first, np.stack(curves, axis=1))
        return Part({"total": np.stack(totals, axis=1), "weight": weight.sum()}, gathered=gathered)

    def fold(self, gathered: dict[int, Drawn]) -> dict[int, Drawn]:
        return {min(gathered): merged(gathered, self.individual)}

    def finish(self, total: Total) -> _Curves:
        if not total.sums["weight"] > 0:
            raise InvalidData("all sample weights are 0")
        average = total.sums["total"] / total.sums["weight"]
        assert average.shape[1] == prod(len(axis) for axis in self.values)
        if not self.individual:
            return _Curves(average, None)
        return _Curves(average, merged(dict(total.gathered), self.individual).in_order())
