"""The same columns in every kind of container, and in chunks of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import xarray as xr

ROWS = 180
THREE = (100, 20, 60)
SEVENTEEN = (1, 30, 0, 12, 7, 1, 0, 0, 45, 3, 21, 9, 1, 25, 0, 5, 20)
assert sum(THREE) == sum(SEVENTEEN) == ROWS

Make = Callable[[np.ndarray], Any]


def cut(rows: tuple[int, ...]) -> Make:
    """Chunks of these rows; the columns of a matrix are cut as well."""

    def make(values: np.ndarray) -> da.Array:
        columns = () if values.ndim == 1 else ((1,) * values.shape[1],)
        return da.from_array(values, chunks=(rows, *columns))

    return make


def unknown(values: np.ndarray) -> da.Array:
    """Seventeen chunks of lengths that nobody knows."""
    known = da.from_array(values, chunks=(SEVENTEEN, *((n,) for n in values.shape[1:])))
    return da.Array(known.dask, known.name, ((np.nan,) * 17, *known.chunks[1:]), dtype=values.dtype)


def pandas(values: np.ndarray) -> Any:
    index = np.arange(len(values)) * 3 + 1
    if values.ndim == 1:
        return pd.Series(values, index=index, name="column")
    return pd.DataFrame(values, index=index, columns=[f"column {c}" for c in range(values.shape[1])])


def dask_frame(values: np.ndarray) -> Any:
    return dd.from_pandas(pandas(values), npartitions=5)


def labelled(make: Make) -> Make:
    def wrapped(values: np.ndarray) -> xr.DataArray:
        dims = ["row", "column"][: values.ndim]
        return xr.DataArray(make(values), dims=dims, coords={"row": np.arange(len(values))})

    return wrapped


@dataclass(frozen=True)
class Holder:
    """How targets, predictions and weights are held."""

    target: Make
    prediction: Make
    weight: Make


def alike(make: Make) -> Holder:
    return Holder(make, make, make)


HOLDERS = {
    "numpy": alike(lambda values: values),
    "lists": alike(lambda values: values.tolist()),
    "pandas": alike(pandas),
    "3 chunks": alike(cut(THREE)),
    "17 chunks": alike(cut(SEVENTEEN)),
    "unknown lengths": alike(unknown),
    "dask frames": alike(dask_frame),
    "xarray": alike(labelled(lambda values: values)),
    "xarray, chunked": alike(labelled(cut(THREE))),
    "cut differently": Holder(cut(THREE), cut(SEVENTEEN), lambda values: values),
    "unknown predictions of known targets": Holder(cut(THREE), unknown, pandas),
    "unknown targets of predictions in memory": Holder(dask_frame, lambda values: values, cut(THREE)),
}
