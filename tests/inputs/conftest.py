"""Containers of the same numbers, and a scheduler that refuses to compute."""

from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr

NAMES = ["a", "b", "c"]
ROWS = (2, 1, 0, 4)


def _unknown(X: np.ndarray) -> da.Array:
    array = da.from_array(X, chunks=(ROWS, (3,)))
    return da.Array(array.dask, array.name, ((np.nan,) * 4, (3,)), dtype=X.dtype)


def _frame(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=NAMES, index=pd.Index(np.arange(10, 10 + len(X)), name="row"))


def _partitions(X: np.ndarray) -> dd.DataFrame:
    return dd.from_pandas(_frame(X), npartitions=3)


def _named(data: Any) -> xr.DataArray:
    coords = {"time": np.arange(7) * 2, "site": ("time", list("uvwxyzu")), "feature": NAMES, "year": 2020}
    return xr.DataArray(data, dims=["time", "feature"], coords=coords, attrs={"unit": "m"}, name="X")


def _dataset(X: np.ndarray, held: Callable[[np.ndarray], Any]) -> xr.Dataset:
    coords = {"time": np.arange(7) * 2, "site": ("time", list("uvwxyzu")), "year": 2020}
    columns = {name: ("time", held(np.ascontiguousarray(X[:, j]))) for j, name in enumerate(NAMES)}
    return xr.Dataset(columns, coords=coords, attrs={"unit": "m"})


MAKERS: dict[str, tuple[str, Callable[[np.ndarray], Any]]] = {
    "array": ("numpy", lambda X: X),
    "fortran": ("numpy", np.asfortranarray),
    "list": ("numpy", lambda X: X.tolist()),
    "pandas": ("pandas", _frame),
    "dask": ("dask array", lambda X: da.from_array(X, chunks=(ROWS, (3,)))),
    "dask, one row a chunk": ("dask array", lambda X: da.from_array(X, chunks=(1, 3))),
    "dask, columns cut": ("dask array", lambda X: da.from_array(X, chunks=(ROWS, (2, 1)))),
    "dask, unknown": ("dask array", _unknown),
    "dask dataframe": ("dask dataframe", _partitions),
    "xarray": ("xarray", _named),
    "dataset": ("xarray", lambda X: _dataset(X, lambda column: column)),
    "dataset, dask": ("xarray", lambda X: _dataset(X, lambda column: da.from_array(column, chunks=(ROWS,)))),
    "xarray, dask": ("xarray", lambda X: _named(da.from_array(X, chunks=(ROWS, (2, 1))))),
}


@pytest.fixture(params=list(MAKERS))
def container(request: pytest.FixtureRequest) -> tuple[str, Callable[[np.ndarray], Any]]:
    """The kind and the maker of every container."""
    return MAKERS[request.param]


@pytest.fixture(autouse=True)
def synchronous() -> Iterator[None]:
    with dask.config.set(scheduler="synchronous"):
        yield


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("something computed")


class _NothingComputes:
    def __enter__(self) -> None:
        self._setting = dask.config.set(scheduler=_refuse)

    def __exit__(self, *exception: object) -> None:
        self._setting.__exit__(None, None, None)


@pytest.fixture
def nothing_computes() -> _NothingComputes:
    """A context in which every computation raises; may be entered again."""
    return _NothingComputes()


@pytest.fixture(autouse=True)
def the_context_works(nothing_computes: _NothingComputes) -> None:
    with nothing_computes, pytest.raises(AssertionError, match="something computed"):
        da.ones(3).compute()
