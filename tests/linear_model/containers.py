"""The same rows in every kind of chunked container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import xarray as xr

NAMES = ["alpha", "beta", "gamma"]


@dataclass(frozen=True)
class Maker:
    """How to hold features and a column in one kind of container.

    Attributes
    ----------
    features, column : from a NumPy array.
    named : whether the features have names.
    unknown : whether the lengths of the chunks are unknown.
    """

    features: Callable[[np.ndarray], Any]
    column: Callable[[np.ndarray], Any]
    named: bool = False
    unknown: bool = False


def sizes(n: int) -> tuple[int, ...]:
    """Three chunks, one of them of a single row where there are enough."""
    return (n,) if n < 3 else (n - 1 - n // 3, 1, n // 3)


def array(values: np.ndarray) -> da.Array:
    return da.from_array(values, chunks=(sizes(len(values)), *((width,) for width in values.shape[1:])))


def unknown(values: np.ndarray) -> da.Array:
    known = array(values)
    chunks = ((np.nan,) * known.numblocks[0], *known.chunks[1:])
    return da.Array(known.dask, known.name, chunks, dtype=values.dtype)


def _index(n: int) -> pd.Index:
    return pd.Index(np.arange(n) * 10 + 5, name="row")


def frame(values: np.ndarray) -> dd.DataFrame:
    names = NAMES[: values.shape[1]]
    return dd.from_pandas(pd.DataFrame(values, columns=names, index=_index(len(values))), npartitions=3)


def series(values: np.ndarray) -> Any:
    return dd.from_pandas(pd.Series(values, name="target", index=_index(len(values))), npartitions=3)


def labelled(values: np.ndarray) -> xr.DataArray:
    names = NAMES[: values.shape[1]]
    coords = {"time": np.arange(len(values)) * 2, "feature": names, "site": ("time", np.arange(len(values)))}
    return xr.DataArray(array(values), dims=["time", "feature"], coords=coords)


MAKERS = {
    "dask array": Maker(array, array),
    "unknown lengths": Maker(unknown, unknown, unknown=True),
    "dask dataframe": Maker(frame, series, named=True, unknown=True),
    "xarray": Maker(labelled, array, named=True),
}
