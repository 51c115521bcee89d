"""Features cut into partitions, and a sample of the rows."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from scipy.sparse import issparse

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.partition import ByCluster, Strategy
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray


def cut_columns(X: Any, by: Strategy, keys: Any) -> Any:
    """X with its features in the order of their partitions, one column chunk for each of these.

    Parameters
    ----------
    X : (n, p) numpy, dask array, or xarray DataArray.
    by : the strategy; each feature is a row to it.
    keys : (p,) what it looks at.
    """
    if isinstance(X, xr.DataArray) and X.ndim == 2:
        dim = X.dims[1]
        order, widths = _order(X.shape[1], by, keys)
        return X.isel({dim: order}).chunk({X.dims[0]: X.chunks[0] if X.chunks else -1, dim: widths})
    if issparse(X) or not isinstance(X, np.ndarray | da.Array) or X.ndim != 2:
        raise UnsupportedCombination(
            f"The columns of a {type(X).__name__} live together. Expected a 2-D numpy or dask array, or an "
            "xarray DataArray: X.to_dask_array(lengths=True) for a dask dataframe."
        )
    order, widths = _order(X.shape[1], by, keys)
    X = X if isinstance(X, da.Array) else da.from_array(X, chunks=(X.shape[0], X.shape[1]))
    if not np.array_equal(order, np.arange(len(order))):
        X = X[:, order]
    return X.rechunk({1: widths})


def _order(features: int, by: Strategy, keys: Any) -> tuple[AnyArray, tuple[int, ...]]:
    """(p,) the features, partition after partition, and how many each has."""
    if by.asks == "features":
        raise UnsupportedParameter(
            f"columns={by!r} looks at rows; expected Even, Random, Sequential, Hash or ByGroup."
        )
    if (keys is None) != (by.asks == "rows"):
        raise UnsupportedParameter(
            f"columns={by!r} looks at {by.asks if keys is None else 'positions alone'}, and column_keys is "
            f"{'None: pass one value for each column' if keys is None else 'given: leave it out'}."
        )
    keys = None if keys is None else np.asarray(keys)
    if keys is not None and keys.shape != (features,):
        raise UnsupportedParameter(
            f"column_keys has shape {keys.shape}; expected ({features},), one for each column."
        )
    part = by.settle(_tally(features, by, keys)).of(0, features, keys)
    widths = np.bincount(part, minlength=by.n_partitions)
    return np.argsort(part, kind="stable"), tuple(widths[widths > 0].tolist())


def _tally(features: int, by: Strategy, keys: AnyArray | None) -> Tally:
    """The features as the rows of one chunk, counted by what the strategy asks for."""
    if keys is None or by.asks == "keys":
        return Tally(np.array([[features]], dtype=np.int64))
    values, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first) if by.asks == "labels" else slice(None)
    return Tally(counts[None, order], values[order])


def sample_of(X: Any, by: Strategy, rows: tuple[int, ...]) -> Any:
    """Some rows of a dask array (n, p), drawn where they are, seeded by chunk; lazy."""
    assert isinstance(by, ByCluster)
    share = min(1.0, by.sample_rows / max(sum(rows), 1))
    chunks = ((np.nan,) * X.numblocks[0], X.chunks[1])
    meta = np.empty((0, 0))
    drawn: Any = X.map_blocks(_drawn, share, by.seed, dtype=np.float64, chunks=chunks, meta=meta)
    return drawn


def _drawn(block: Any, share: float, seed: int, block_id: tuple[int, ...] = (0, 0)) -> AnyArray:
    rng = np.random.Generator(np.random.SFC64([seed, block_id[0]]))
    rows = block[np.flatnonzero(rng.random(block.shape[0]) < share)]
    rows = np.asarray(rows.toarray() if issparse(rows) else rows, dtype=np.float64)
    finite: AnyArray = rows[np.isfinite(rows).all(axis=1)]  # the others are named where they are placed
    return finite
