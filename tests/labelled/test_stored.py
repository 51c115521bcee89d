"""Zarr and NetCDF are streamed: each chunk is read where it is used, and as often as is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from daskml_dist.linear_model import LinearRegression
from tests.labelled.world import CO2, DIMS, HEIGHT, SST, WORLD, target
from tests.linear_model.stored import CountingStore, taken_log

Y = target(missing=True)
CUT = {"time": 10, "lat": 3, "lon": 5}
FIELDS = 4 * 2  # chunks of a variable on (time, lat, lon)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "world.zarr"
    data = xr.Dataset({"sst": SST, "tas": Y, "co2": CO2, "height": HEIGHT}).chunk(CUT)
    data.to_zarr(root, consolidated=False)
    return root


def opened(root: Path) -> xr.Dataset:
    return xr.open_zarr(CountingStore(root, read_only=True), consolidated=False)


def reads(root: Path) -> Counter[str]:
    """How often chunks of each variable were read."""
    found: Counter[str] = Counter()
    for key, times in taken_log(root)[0].items():
        found[key.split("/c/")[0]] += times
    return found


def test_one_model_reads_each_chunk_once(store: Path) -> None:
    data = opened(store)
    taken_log(store)
    model = LinearRegression(verbose=0).fit(data[["sst", "co2"]], data.tas, sample_dims=DIMS, missing="drop")
    found = reads(store)
    assert (found["sst"], found["tas"]) == (FIELDS, FIELDS)
    predicted = model.predict(data)
    assert not reads(store)
    predicted.to_dataset().to_zarr(store.parent / "fitted.zarr", consolidated=False)
    found = reads(store)
    assert (found["sst"], found["tas"]) == (FIELDS, 0)
    expected = LinearRegression(verbose=0).fit(WORLD[["sst", "co2"]], Y, sample_dims=DIMS, missing="drop")
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)


def test_a_model_for_each_cell_reads_each_chunk_once(store: Path) -> None:
    data = opened(store)
    taken_log(store)
    model = LinearRegression(verbose=0).fit(
        data[["sst", "co2"]], data.tas, fit_over=("lat", "lon"), missing="drop"
    )
    found = reads(store)
    assert (found["sst"], found["tas"]) == (FIELDS, FIELDS)
    expected = LinearRegression(verbose=0).fit(
        WORLD[["sst", "co2"]], Y, fit_over=("lat", "lon"), missing="drop"
    )
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    assert isinstance(model.predict(data).data, type(data.tas.data))


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_netcdf(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "world.nc"
    WORLD.assign(tas=Y).to_netcdf(path, engine=engine)
    with xr.open_dataset(path, engine=engine, chunks={"time": 10}) as data:
        one = LinearRegression(verbose=0).fit(
            data[["sst", "co2"]], data.tas, sample_dims=DIMS, missing="drop"
        )
        many = LinearRegression(verbose=0).fit(data.co2, data.tas, fit_over=("lat", "lon"), missing="drop")
        assert many.coef_.attrs["units"] == "degC per ppm"
        expected = LinearRegression(verbose=0).fit(WORLD[["sst", "co2"]], Y, sample_dims=DIMS, missing="drop")
        np.testing.assert_allclose(one.coef_, expected.coef_, rtol=1e-10)
        assert many.predict(data.co2).dims == DIMS
