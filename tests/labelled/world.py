"""A small world: variables over time, latitude and longitude, with units, a mask and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from daskml_dist.types import AnyArray

T, LAT, LON = 40, 6, 5
DIMS = ("time", "lat", "lon")
RNG = np.random.default_rng(7)
COORDS = {"time": 1980 + np.arange(T), "lat": np.linspace(-75.0, 75.0, LAT), "lon": 60.0 * np.arange(LON)}

CHUNKS: list[dict[str, int] | None] = [
    None,
    {"time": 13, "lat": 4},
    {"time": T, "lat": 2, "lon": 3},
    {"time": 1},
]


def _array(dims: tuple[str, ...], values: AnyArray, name: str, units: str) -> xr.DataArray:
    coords = {dim: COORDS[dim] for dim in dims}
    return xr.DataArray(values, dims=dims, coords=coords, name=name, attrs={"units": units})


SST = _array(DIMS, 280.0 + RNG.normal(size=(T, LAT, LON)), "sst", "K")
HEIGHT = _array(("lat", "lon"), RNG.normal(size=(LAT, LON)), "height", "m")
CO2 = _array(("time",), 300.0 + np.arange(T) + RNG.normal(size=T), "co2", "ppm")
WORLD = xr.Dataset({"sst": SST, "height": HEIGHT, "co2": CO2})
AREA = np.cos(np.deg2rad(WORLD.lat))
LAND = xr.DataArray(RNG.random((LAT, LON)) < 0.3, dims=("lat", "lon"))
GAPS = xr.DataArray(RNG.random((T, LAT, LON)) < 0.1, dims=DIMS)


def target(*, missing: bool) -> xr.DataArray:
    """y over the whole world, or with land and gaps left out."""
    noise = np.random.default_rng(8).normal(size=SST.shape)
    y = 2.0 * SST - HEIGHT + 0.1 * CO2 + 0.5 * xr.DataArray(noise, dims=DIMS)
    y = y.where(~LAND).where(~GAPS) if missing else y
    return y.transpose(*DIMS).rename("tas").assign_attrs(units="degC", long_name="air temperature")


def cut(array: Any, chunks: Mapping[str, int] | None) -> Any:
    """The same in chunks, or in memory."""
    return array if chunks is None else array.chunk({d: n for d, n in chunks.items() if d in array.dims})


def table(*columns: xr.DataArray) -> AnyArray:
    """The variables as columns of numbers, stacked by hand."""
    return np.column_stack([column(one) for one in columns])


def column(one: xr.DataArray) -> AnyArray:
    """A variable as a column of numbers, by hand."""
    return np.ravel(one.broadcast_like(SST).transpose(*DIMS).to_numpy())
