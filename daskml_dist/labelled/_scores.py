"""How good models of cells are: a score for each of them, lazily."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.labelled._labels import refuse_other_labels
from daskml_dist.labelled._layout import Layout
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray, FloatArray


def explained(layout: Layout, loss: Loss, y: xr.DataArray, z: xr.DataArray, weight: Any) -> xr.DataArray:
    """The share of the deviance of y that the margins explain in each cell; r2 for squares.

    Parameters
    ----------
    layout : of the fitted model.
    y : targets. z : margins, NaN where there are none. weight : DataArray, number or None.

    Returns
    -------
    DataArray on the dims that are none of samples; lazy where y or z is. NaN where there is no sample.
    """
    known, weights, dims = _counted(layout, y, z, weight)
    total = weights.sum(dims)
    filled = y.where(known, 1.0)  # 1 is in the domain of all losses
    flat = _apply(loss.link, (filled * weights).sum(dims) / total.where(total > 0.0, 1.0))
    left = (_apply(loss.value, filled, z.where(known, 0.0)) * weights).sum(dims)
    null = (_apply(loss.value, filled, flat.where(total > 0.0, 0.0)) * weights).sum(dims)
    scores: xr.DataArray = _apply(_share, left, null).where(total > 0.0).rename("score")
    return scores


def accuracies(
    layout: Layout, y: xr.DataArray, labels: xr.DataArray, z: xr.DataArray, weight: Any
) -> xr.DataArray:
    """The share of the samples of each cell whose label is right; see ``explained``."""
    _, weights, dims = _counted(layout, y, z, weight)
    right: Any = (y == labels) * weights
    total = weights.sum(dims)
    scores: xr.DataArray = (
        (right.sum(dims) / total.where(total > 0.0, 1.0)).where(total > 0.0).rename("score")
    )
    return scores


def _counted(layout: Layout, y: xr.DataArray, z: xr.DataArray, weight: Any) -> tuple[Any, Any, list[str]]:
    """Where there is a sample, (...) weights which are 0 where there is none, and the dims of samples."""
    if layout.group is not None:
        raise UnsupportedCombination(
            "score does not know models of groups (fit_over names labels). Score the predictions of each "
            "group: predict(X).groupby(...)."
        )
    arrays = {"X": z, "y": y}
    if isinstance(weight, xr.DataArray):
        arrays["sample_weight"] = weight
    refuse_other_labels(arrays)
    known: Any = y.notnull() & z.notnull()
    weights = (known * (1.0 if weight is None else weight)).where(known, 0.0).fillna(0.0)
    return known, weights, [dim for dim in map(str, y.dims) if dim not in layout.cell_dims]


def _apply(function: Any, *arrays: xr.DataArray) -> Any:
    quiet = partial(_quietly, function)
    return xr.apply_ufunc(quiet, *arrays, dask="parallelized", output_dtypes=[np.float64], join="exact")


def _quietly(function: Any, *blocks: AnyArray) -> FloatArray:
    """A function of blocks of one shape; what has no value is NaN."""
    same = np.broadcast_arrays(*(np.asarray(block, dtype=np.float64) for block in blocks))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(function(*map(np.array, same)))


def _share(left: FloatArray, null: FloatArray) -> FloatArray:
    """1 - left / null; where nothing is to be explained, 1 or 0."""
    perfect = (left <= 0.0).astype(np.float64)
    return np.where(null > 0.0, 1.0 - left / np.where(null > 0.0, null, 1.0), perfect)
