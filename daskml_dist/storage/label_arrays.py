"""DataArrays as arrays and names, and exactly back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # registries are looked up in processes that need neither
    import xarray as xr


def described_labels(array: xr.DataArray) -> dict[str, Any]:
    """A DataArray as values, dims, coordinates and attributes, none of them of xarray.

    Parameters
    ----------
    array : in memory; an index of several levels is kept level by level.
    """
    import pandas as pd

    levels: dict[str, list[str]] = {}
    for dim in array.dims:
        index = array.indexes.get(dim)
        if isinstance(index, pd.MultiIndex):
            levels[str(dim)] = [str(name) for name in index.names]
    coords = {
        str(name): {"dims": tuple(map(str, coord.dims)), "values": np.array(coord.values)}
        for name, coord in array.coords.items()
        if name not in levels
    }
    return {
        "values": np.array(array.values),
        "dims": tuple(map(str, array.dims)),
        "name": None if array.name is None else str(array.name),
        "attrs": dict(array.attrs),
        "coords": coords,
        "levels": levels,
    }


def made_labels(told: Mapping[str, Any]) -> xr.DataArray:
    """The DataArray that was described."""
    import pandas as pd
    import xarray as xr

    array = xr.DataArray(told["values"], dims=told["dims"], name=told["name"], attrs=told["attrs"])
    coords = told["coords"]
    inside = {name for names in told["levels"].values() for name in names}
    plain = {name: (at["dims"], at["values"]) for name, at in coords.items() if name not in inside}
    array = array.assign_coords(plain)
    for dim, names in told["levels"].items():
        factors = [pd.factorize(coords[name]["values"]) for name in names]  # in the order of appearance
        codes, labels = zip(*factors, strict=True)
        index = pd.MultiIndex(levels=list(labels), codes=list(codes), names=names)
        array = array.assign_coords(xr.Coordinates.from_pandas_multiindex(index, dim))
    return array
