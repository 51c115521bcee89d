"""The same rows in every kind of container that can be split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import xarray as xr

N = 83
NAMES = ["alpha", "beta", "gamma"]


class Data(NamedTuple):
    """Features, labels and groups."""

    X: Any
    y: Any
    groups: Any


def made(classes: int = 3, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    labels = np.array(["no", "yes", "maybe", "never"])
    return Data(rng.standard_normal((N, 3)), labels[rng.integers(0, classes, N)], rng.integers(0, 11, N))


def cut(chunks: int) -> tuple[int, ...]:
    """Lengths of so many chunks, one of them empty and one of a single row."""
    edges = np.linspace(0, N, chunks - 1).astype(int)
    inner = [0, 1, *edges[1:-1], N] if chunks > 2 else [0, N]
    return (*np.diff(inner).tolist(), 0)


def arrays(data: Data, rows: tuple[int, ...]) -> Data:
    return Data(
        da.from_array(data.X, chunks=(rows, (2, 1))),
        da.from_array(data.y, chunks=(rows,)),
        da.from_array(data.groups, chunks=(rows,)),
    )


def unknown(data: Data) -> Data:
    def forget(array: da.Array) -> da.Array:
        chunks = ((np.nan,) * array.numblocks[0], *array.chunks[1:])
        return da.Array(array.dask, array.name, chunks, dtype=array.dtype)

    return Data(*(forget(part) for part in arrays(data, cut(3))))


def frame(data: Data) -> pd.DataFrame:
    columns = dict(zip(NAMES, data.X.T, strict=True))
    return pd.DataFrame(columns | {"y": data.y, "groups": data.groups}, index=np.arange(N) * 10 + 5)


def frames(data: Data) -> Data:
    lazy = dd.from_pandas(frame(data), npartitions=4)
    return Data(lazy[NAMES], lazy["y"], lazy["groups"])


def pandas(data: Data) -> Data:
    whole = frame(data)
    return Data(whole[NAMES], whole["y"], whole["groups"])


def labelled(data: Data) -> Data:
    coords = {"time": np.arange(N) * 2, "site": ("time", data.groups), "feature": NAMES}
    lazy = arrays(data, cut(5))
    X = xr.DataArray(lazy.X, dims=["time", "feature"], coords=coords, attrs={"unit": "m"}, name="X")
    return Data(X, xr.DataArray(lazy.y, dims=["time"]), xr.DataArray(lazy.groups, dims=["time"]))


def variables(data: Data) -> Data:
    """A Dataset, cut unevenly, with one variable in memory, labels on the rows and one that is on no row."""
    X = labelled(data).X.to_dataset(dim="feature")
    X["beta"] = X.beta.load().assign_attrs(unit="K")
    X = X.assign_coords(place=("elsewhere", [1.0, 2.0]), made="here").assign_attrs(source="test")
    y = xr.DataArray(arrays(data, cut(5)).y, dims=["time"])
    return Data(X, y, xr.DataArray(arrays(data, cut(5)).groups, dims=["time"]))


def mixed(data: Data) -> Data:
    """Each cut in its own way, and the groups in memory."""
    return Data(arrays(data, cut(7)).X, arrays(data, (N,)).y, data.groups)


LAZY: dict[str, Callable[[Data], Data]] = {
    "3 chunks": lambda data: arrays(data, cut(3)),
    "17 chunks": lambda data: arrays(data, cut(17)),
    "unknown lengths": unknown,
    "dask dataframe": frames,
    "xarray": labelled,
    "xarray Dataset": variables,
    "mixed": mixed,
}
IN_MEMORY: dict[str, Callable[[Data], Data]] = {
    "numpy": lambda data: data,
    "pandas": pandas,
    "lists": lambda data: Data(*(part.tolist() for part in data)),
}


def computed(values: Any) -> Any:
    return values.compute() if dask.is_dask_collection(values) else values


def rows_of(values: Any, index: np.ndarray) -> Any:
    """Rows of a container, taken by whoever made it."""
    whole = computed(values)
    if isinstance(whole, xr.Dataset):
        return whole.isel(time=index)
    return whole.iloc[index] if isinstance(whole, (pd.DataFrame, pd.Series)) else whole[index]


def assert_same(given: Any, expected: Any) -> None:
    assert type(given) is type(expected)
    if isinstance(given, xr.DataArray | xr.Dataset):
        xr.testing.assert_identical(given, expected)
    elif isinstance(given, pd.DataFrame):
        pd.testing.assert_frame_equal(given, expected)
    elif isinstance(given, pd.Series):
        pd.testing.assert_series_equal(given, expected)
    else:
        np.testing.assert_array_equal(given, expected)
